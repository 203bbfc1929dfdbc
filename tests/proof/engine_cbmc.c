/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lets CBMC take every choice at once. Functions without a body return any value there. */
#include "tests/proof/proof.h"

size_t nondet_size(void);
uint8_t nondet_byte(void);
bool nondet_bool(void);

size_t proof_any_size(size_t max)
{
    const size_t picked = nondet_size();

    __CPROVER_assume(picked <= max);
    return picked;
}

uint8_t proof_any_byte(void)
{
    return nondet_byte();
}

bool proof_any_bool(void)
{
    return nondet_bool();
}

size_t proof_bound(size_t symbolic, size_t other)
{
    (void)other;
    return symbolic;
}

void proof_failed(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    __CPROVER_assert(false, "proof_check");
}
