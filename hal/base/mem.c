/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocation and the request arena. An arena is a chain of blocks: the first is kept between requests, further ones,
 * each at least twice the last, are freed at reset. */
#include "hal/base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct arena_block *first; /* the kept one, at the end of the chain */
    struct arena_block *top;   /* the one that hands out memory; its next is the older one */
    size_t total;
    size_t max;
};

enum err mem_alloc(size_t bytes, void **out_memory)
{
    void *const memory = calloc(1, bytes == 0 ? 1 : bytes);

    if (memory == NULL) {
        FAIL(ERR_NO_MEMORY, "allocation refused", bytes);
    }
    *out_memory = memory;
    return ERR_OK;
}

enum err mem_alloc_array(size_t count, size_t element_bytes, void **out_memory)
{
    size_t bytes = 0;

    TRY(num_mul(count, element_bytes, &bytes));
    return mem_alloc(bytes, out_memory);
}

void mem_free(void *memory)
{
    free(memory);
}

void mem_wipe(void *memory, size_t bytes)
{
    if (bytes != 0) {
        explicit_bzero(memory, bytes);
    }
}

static enum err block_new(size_t size, struct arena_block **out_block)
{
    void *memory = NULL;
    size_t bytes = 0;

    TRY(num_add(size, sizeof(struct arena_block), &bytes));
    TRY(mem_alloc(bytes, &memory));
    struct arena_block *const block = memory;

    block->size = size;
    *out_block = block;
    return ERR_OK;
}

enum err arena_new(size_t keep_bytes, size_t max_bytes, struct arena **out_arena)
{
    SCOPED_ARENA struct arena *arena = NULL;
    void *memory = NULL;

    ENSURE(keep_bytes <= max_bytes, ERR_RANGE, "arena keeps more than its maximum");
    TRY(mem_alloc(sizeof(struct arena), &memory));
    arena = memory;
    TRY(block_new(keep_bytes, &arena->first));
    arena->top = arena->first;
    arena->total = keep_bytes;
    arena->max = max_bytes;

    *out_arena = TAKE(arena);
    return ERR_OK;
}

static void drop_above_first(struct arena *arena)
{
    while (arena->top != arena->first) {
        struct arena_block *const block = arena->top;

        arena->top = block->next;
        arena->total -= block->size;
        mem_wipe(block->bytes, block->used);
        mem_free(block);
    }
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    if (arena->first != NULL) {
        arena_reset(arena);
        mem_free(arena->first);
    }
    mem_free(arena);
}

/* Adds a block that holds at least `bytes`, doubling where the maximum allows it. */
static enum err add_block(struct arena *arena, size_t bytes)
{
    struct arena_block *block = NULL;
    const size_t room = arena->max - arena->total;

    ENSURE(bytes <= room, ERR_NO_MEMORY, "arena is at its maximum");
    const size_t doubled = arena->top->size > SIZE_MAX / 2 ? bytes : arena->top->size * 2;

    TRY(block_new(num_min(num_max(bytes, doubled), room), &block));
    block->next = arena->top;
    arena->top = block;
    arena->total += block->size;
    return ERR_OK;
}

enum err arena_alloc(struct arena *arena, size_t bytes, void **out_memory)
{
    const size_t unit = alignof(max_align_t);
    size_t rounded = 0;

    TRY(num_add(bytes, unit - 1, &rounded));
    rounded -= rounded % unit;
    if (rounded > arena->top->size - arena->top->used) {
        TRY(add_block(arena, rounded));
    }
    *out_memory = arena->top->bytes + arena->top->used;
    arena->top->used += rounded;
    return ERR_OK;
}

enum err arena_alloc_array(struct arena *arena, size_t count, size_t element_bytes, void **out_memory)
{
    size_t bytes = 0;
    TRY(num_mul(count, element_bytes, &bytes));
    return arena_alloc(arena, bytes, out_memory);
}

enum err arena_copy(struct arena *arena, struct span bytes, struct span *out_copy)
{
    void *memory = NULL;

    TRY(arena_alloc(arena, bytes.len, &memory));
    if (bytes.len != 0) {
        memcpy(memory, bytes.data, bytes.len);
    }
    *out_copy = span_of(memory, bytes.len);
    return ERR_OK;
}

void arena_reset(struct arena *arena)
{
    drop_above_first(arena);
    mem_wipe(arena->first->bytes, arena->first->used);
    arena->first->used = 0;
}
