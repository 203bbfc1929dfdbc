/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What operators may do: the roles and rights of contract 10.1. A role that is none has no right. Pure. */
#ifndef FIRMWARE_AUTH_OPERATOR_H
#define FIRMWARE_AUTH_OPERATOR_H

#include <stdbool.h>

#include "hal/base/span.h"

/* The rows of contract 10.1 that routes ask for; a right of a row that has no route yet has no name. */
enum operator_right {
    OPERATOR_ANYTHING = 0, /* operators themselves, and what only an owner does */
    OPERATOR_SETTINGS,     /* projects, environments, API keys, users, settings of sign-in and mail */
    OPERATOR_TABLES,       /* tables, schemas, indexes, policies, explain, simulate */
    OPERATOR_AUDIT,        /* the audit log, and whether it is whole */
    OPERATOR_RIGHTS
};

/* What an operator's request needs of the place that it manages. A secret key has one project and environment; an operator
 * names them: by an id of something that is in them, in the path or as tableId, or by projectId and environment in the
 * body or the query. */
enum operator_need {
    OPERATOR_NEEDS_NOTHING,    /* the appliance */
    OPERATOR_NEEDS_ANY,        /* the project that is named, or everything */
    OPERATOR_NEEDS_NAMED,      /* the same, of a project or of an environment */
    OPERATOR_NEEDS_PROJECT,    /* a project, and the environment if one is meant */
    OPERATOR_NEEDS_ENVIRONMENT /* both */
};

/* What a route asks of an operator. */
struct operator_duty {
    enum operator_right right;
    enum operator_need need;
};

bool operator_role_is_known(struct span role);
bool operator_may(struct span role, enum operator_right right);

#endif
