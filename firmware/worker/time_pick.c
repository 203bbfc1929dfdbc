/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/time_pick.h"

#include "hal/base/fault.h"

static bool has_voice(const struct time_voice *voice, bool only_authenticated)
{
    return voice->is_there && voice->error_ns <= TIME_PICK_ERROR_MAX_NS && (voice->authenticated || !only_authenticated);
}

static int64_t first_of(const struct time_voice *voice)
{
    return voice->offset_ns - (int64_t)voice->error_ns;
}

static bool holds(const struct time_voice *voice, int64_t instant_ns)
{
    return first_of(voice) <= instant_ns && instant_ns <= voice->offset_ns + (int64_t)voice->error_ns;
}

struct vote {
    const struct time_voice *voices;
    size_t count;
    bool only_authenticated;
};

static size_t count_at(const struct vote *vote, int64_t instant_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < vote->count; i++) {
        count += has_voice(&vote->voices[i], vote->only_authenticated) && holds(&vote->voices[i], instant_ns) ? 1 : 0;
    }
    return count;
}

/* Intervals that share anything share the beginning of one of them. */
static size_t find_best(const struct vote *vote, int64_t *out_instant_ns)
{
    size_t best = 0;

    for (size_t i = 0; i < vote->count; i++) {
        if (!has_voice(&vote->voices[i], vote->only_authenticated)) {
            continue;
        }
        const size_t count = count_at(vote, first_of(&vote->voices[i]));
        if (count > best) {
            best = count;
            *out_instant_ns = first_of(&vote->voices[i]);
        }
    }
    return best;
}

static size_t most_exact(const struct vote *vote, int64_t instant_ns)
{
    size_t chosen = vote->count;

    for (size_t i = 0; i < vote->count; i++) {
        const struct time_voice *const voice = &vote->voices[i];
        if (has_voice(voice, vote->only_authenticated) && holds(voice, instant_ns) &&
            (chosen == vote->count || voice->error_ns < vote->voices[chosen].error_ns)) {
            chosen = i;
        }
    }
    return chosen;
}

enum err time_pick(const struct time_voice *voices, size_t count, size_t *out_chosen)
{
    struct vote vote = {.voices = voices, .count = count};
    int64_t instant_ns = 0;
    size_t all = 0;

    for (size_t i = 0; i < count; i++) {
        vote.only_authenticated = vote.only_authenticated || (has_voice(&voices[i], true));
    }
    for (size_t i = 0; i < count; i++) {
        all += has_voice(&voices[i], vote.only_authenticated) ? 1 : 0;
    }
    if (all == 0) {
        return ERR_NOT_FOUND;
    }
    if (2 * find_best(&vote, &instant_ns) <= all) {
        return ERR_CONFLICT;
    }
    *out_chosen = most_exact(&vote, instant_ns);
    return ERR_OK;
}
