/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/keeper/bucket.h"

#include "hal/base/num.h"

#define MS_PER_S 1000u

void bucket_init(struct bucket *bucket, uint64_t per_s, const char *what, struct mono_time now)
{
    *bucket = (struct bucket){.per_s = per_s, .left = per_s, .filled = now, .what = what};
}

enum err bucket_take(struct bucket *bucket, struct mono_time now)
{
    const uint64_t earned = mono_ms_between(bucket->filled, now) * bucket->per_s / MS_PER_S;

    if (earned >= bucket->per_s - bucket->left) {
        bucket->left = bucket->per_s;
        bucket->filled = now;
    } else {
        bucket->left += earned;
        /* What a part of one took is kept for the next, or somebody who asks often would get half of what there is. */
        bucket->filled.ns += (earned * MS_PER_S * TIME_NS_PER_MS + bucket->per_s - 1) / bucket->per_s;
    }
    if (bucket->left == 0) {
        if (!bucket->limiting) {
            LOG_LIMITED(&bucket->lines, now, LOG_WARN, "keeper_limits", LOG_LITERAL("what", bucket->what),
                        LOG_NUMBER("per_s", bucket->per_s));
        }
        bucket->limiting = true;
        return ERR_LIMIT;
    }
    bucket->limiting = false;
    bucket->left--;
    return ERR_OK;
}
