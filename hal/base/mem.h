/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The only home of malloc and free, and the arena that a request borrows. Nothing here aborts: a refused allocation is
 * an error that a caller handles. Memory comes zeroed. */
#ifndef HAL_BASE_MEM_H
#define HAL_BASE_MEM_H

#include <stddef.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

/* bytes zeroed bytes, aligned for any type; the caller frees them with mem_free. bytes may be 0. ERR_NO_MEMORY. */
enum err mem_alloc(size_t bytes, void **out_memory) MUST_USE;

/* count zeroed elements of element_bytes each. ERR_RANGE if the product does not fit, ERR_NO_MEMORY. */
enum err mem_alloc_array(size_t count, size_t element_bytes, void **out_memory) MUST_USE;

/* NULL is fine. */
void mem_free(void *memory);

/* Overwrites with zeros in a way that the compiler may not drop. NULL with 0 bytes is fine. */
void mem_wipe(void *memory, size_t bytes);

/* An arena hands out zeroed memory that is taken back all at once. It has its maximum from birth, keeps its first block
 * across resets, and wipes what was used at every reset. It belongs to one thread. */
struct arena;

/* Makes an arena of at most max_bytes, of which keep_bytes stay allocated between uses. ERR_NO_MEMORY. */
enum err arena_new(size_t keep_bytes, size_t max_bytes, struct arena **out_arena) MUST_USE;
void arena_free(struct arena *arena);

/* Memory for any type, valid until arena_reset. ERR_NO_MEMORY when the maximum is reached or the system refuses. */
enum err arena_alloc(struct arena *arena, size_t bytes, void **out_memory) MUST_USE;

/* Memory for count elements of element_bytes each. ERR_RANGE if the product does not fit, ERR_NO_MEMORY. */
enum err arena_alloc_array(struct arena *arena, size_t count, size_t element_bytes, void **out_memory) MUST_USE;

/* A copy of bytes in the arena; out may be the same variable as bytes. ERR_NO_MEMORY. */
enum err arena_copy(struct arena *arena, struct span bytes, struct span *out_copy) MUST_USE;

/* Takes everything back and wipes it. */
void arena_reset(struct arena *arena);

static inline void arena_free_scoped(struct arena **arena)
{
    arena_free(*arena);
}
#define SCOPED_ARENA SCOPED(arena_free_scoped)

#endif
