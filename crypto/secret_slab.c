/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One guarded region cut into equal objects, with a free list that needs no lock.
 *
 * The list is a stack of object numbers. Its head carries a count of changes beside the number, so that a thread that
 * slept between reading the head and replacing it cannot mistake a head that came back for one that never went (ABA). The
 * links lie outside the region: free objects are all zero, and nothing in the region is read before it is written. */
#include "crypto/secret_slab.h"

#include <stdatomic.h>
#include <stdint.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "crypto/secret_int.h"

#define SLAB_END UINT32_MAX /* no object */

struct secret_slab {
    uint8_t *region;
    size_t object_bytes;
    uint32_t count;
    atomic_uint_fast64_t head; /* changes(32) | first free object(32) */
    atomic_size_t used;
    _Atomic uint32_t *next; /* count links */
};

static uint32_t head_object(uint_fast64_t head)
{
    return (uint32_t)(head & UINT32_MAX);
}

static uint_fast64_t head_with(uint_fast64_t old, uint32_t object)
{
    return ((old >> 32) + 1) << 32 | object;
}

enum err secret_slab_new(size_t total_bytes, size_t object_bytes, struct secret_slab **out_slab)
{
    void *memory = NULL;

    ENSURE(object_bytes >= 1 && object_bytes <= SECRET_SLAB_BYTES_MAX, ERR_RANGE, "size of a slab's objects");
    const size_t rounded = (object_bytes + SECRET_SLAB_ALIGN - 1) / SECRET_SLAB_ALIGN * SECRET_SLAB_ALIGN;

    ENSURE(total_bytes >= rounded && total_bytes <= SECRET_SLAB_BYTES_MAX, ERR_RANGE, "size of a slab");
    TRY(mem_alloc(sizeof(struct secret_slab), &memory));
    SCOPED_SECRET_SLAB struct secret_slab *slab = memory;

    slab->object_bytes = rounded;
    slab->count = (uint32_t)(total_bytes / rounded);
    TRY(mem_alloc_array(slab->count, sizeof(slab->next[0]), &memory));
    slab->next = memory;
    TRY(secret_map(slab->count * rounded, &memory));
    slab->region = memory;
    for (uint32_t i = 0; i < slab->count; i++) {
        atomic_init(&slab->next[i], i + 1 < slab->count ? i + 1 : SLAB_END);
    }
    atomic_init(&slab->head, 0);
    *out_slab = TAKE(slab);
    return ERR_OK;
}

void secret_slab_free(struct secret_slab *slab)
{
    if (slab == NULL) {
        return;
    }
    INVARIANT(atomic_load(&slab->used) == 0);
    secret_unmap(slab->region);
    mem_free(slab->next);
    mem_free(slab);
}

enum err secret_slab_take(struct secret_slab *slab, void **out_object)
{
    uint_fast64_t head = atomic_load_explicit(&slab->head, memory_order_acquire);
    uint32_t object = head_object(head);

    /* Each round that fails means that another thread succeeded. */
    while (object != SLAB_END) {
        const uint32_t after = atomic_load_explicit(&slab->next[object], memory_order_relaxed);

        if (atomic_compare_exchange_weak_explicit(&slab->head, &head, head_with(head, after), memory_order_acq_rel,
                                                  memory_order_acquire)) {
            atomic_fetch_add_explicit(&slab->used, 1, memory_order_relaxed);
            *out_object = slab->region + object * slab->object_bytes;
            return ERR_OK;
        }
        object = head_object(head);
    }
    FAIL(ERR_LIMIT, "the slab of secrets is full", slab->count);
}

void secret_slab_give(struct secret_slab *slab, void *object)
{
    if (object == NULL) {
        return;
    }
    const uint8_t *const at = object;

    INVARIANT(at >= slab->region && (size_t)(at - slab->region) < slab->count * slab->object_bytes);
    INVARIANT((size_t)(at - slab->region) % slab->object_bytes == 0);
    const uint32_t number = (uint32_t)((size_t)(at - slab->region) / slab->object_bytes);
    uint_fast64_t head = atomic_load_explicit(&slab->head, memory_order_relaxed);

    mem_wipe(object, slab->object_bytes);
    do {
        atomic_store_explicit(&slab->next[number], head_object(head), memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&slab->head, &head, head_with(head, number), memory_order_acq_rel,
                                                    memory_order_relaxed));
    atomic_fetch_sub_explicit(&slab->used, 1, memory_order_relaxed);
}

size_t secret_slab_object_bytes(const struct secret_slab *slab)
{
    return slab->object_bytes;
}

size_t secret_slab_capacity(const struct secret_slab *slab)
{
    return slab->count;
}

size_t secret_slab_used(const struct secret_slab *slab)
{
    return atomic_load_explicit(&slab->used, memory_order_relaxed);
}
