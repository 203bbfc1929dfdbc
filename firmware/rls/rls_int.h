/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The compiled policy, seen by this folder alone. */
#ifndef FIRMWARE_RLS_RLS_INT_H
#define FIRMWARE_RLS_RLS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/rls/rls.h"

/* A right takes two bits of a subject's word (enum rls_right at bit 2 * op); SUBJECT_PRESENT says that the subject has an
 * entry at all. A policy is small enough to be copied whole. */
#define SUBJECT_PRESENT 0x8000u

struct rls_policy {
    bool configured;
    uint16_t subjects[RLS_SUBJECTS];
    uint32_t settings_set; /* RLS_SET_ bits */
    struct rls_settings settings;
};

/* Fills in the member `security`, JSON null or absent included. ERR_MALFORMED with the problem. */
enum err rls_settings_parse(const struct json_value *security, struct rls_policy *policy,
                            struct rls_problem *out_problem) MUST_USE;

/* Sets out_problem to "prefix" or "prefix.name" and why, and answers ERR_MALFORMED. */
enum err rls_refuse(struct rls_problem *out_problem, const char *prefix, struct span name, const char *why) MUST_USE;

#endif
