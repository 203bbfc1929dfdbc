/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planted defect of tests/blackbox/test_noninterference.py: who plans a list finds every column fit to sort by. The
 * Makefile links it into a program of its own, in which the calls of firmware/data/plan.c alone come here. */
#include "firmware/rls/rls.h"

enum rls_verdict sort_leak_column(const struct rls_bound *bound, struct span field, enum rls_access access);

enum rls_verdict sort_leak_column(const struct rls_bound *bound, struct span field, enum rls_access access)
{
    (void)bound;
    (void)field;
    (void)access;
    return RLS_ALLOW;
}
