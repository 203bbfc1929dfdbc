/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory that is refused by choice, for the exhaustive and the random engine: linked with --wrap for each of these.
 * CBMC refuses by itself. */
#include <stdlib.h>

#include "tests/proof/proof.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return proof_refuses_memory() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return proof_refuses_memory() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return proof_refuses_memory() ? NULL : __real_realloc(memory, bytes);
}
