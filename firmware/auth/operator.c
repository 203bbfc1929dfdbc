/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One table: each role with its rights. What is not in it has none. */
#include "firmware/auth/operator.h"

#include "hal/base/span.h"

#define MAY(right) (1u << (unsigned int)(right))

static const struct {
    struct span name;
    unsigned int rights;
} roles[] = {
#define ROLE(text)                                                                                                     \
    {                                                                                                                  \
        (const uint8_t *)("" text), sizeof(text) - 1                                                                   \
    }
    {ROLE("owner"), MAY(OPERATOR_ANYTHING) | MAY(OPERATOR_SETTINGS) | MAY(OPERATOR_TABLES) | MAY(OPERATOR_AUDIT)},
    {ROLE("admin"), MAY(OPERATOR_SETTINGS) | MAY(OPERATOR_TABLES) | MAY(OPERATOR_AUDIT)},
    {ROLE("member"), MAY(OPERATOR_TABLES)},
    {ROLE("auditor"), MAY(OPERATOR_AUDIT)},
    {ROLE("backup"), 0},
    {ROLE("metrics"), 0},
#undef ROLE
};

static unsigned int rights_of(struct span role, bool *out_known)
{
    *out_known = false;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (span_equal(role, roles[i].name)) {
            *out_known = true;
            return roles[i].rights;
        }
    }
    return 0;
}

bool operator_role_is_known(struct span role)
{
    bool known = false;

    (void)rights_of(role, &known); /* asked for the name alone */
    return known;
}

bool operator_may(struct span role, enum operator_right right)
{
    bool known = false;

    return right < OPERATOR_RIGHTS && (rights_of(role, &known) & MAY(right)) != 0;
}
