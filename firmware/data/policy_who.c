/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/policy_who.h"

#include <stdio.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "storage/row.h"

static enum err refuse(struct rls_problem *problem, const char *where, const char *member, const char *why)
{
    const int len = snprintf(problem->where, sizeof problem->where, "%s%s", where, member);

    problem->where_len = num_min((size_t)len, sizeof problem->where - 1);
    problem->why = why;
    return ERR_MALFORMED;
}

const char *policy_group_name(enum rls_group group)
{
    switch (group) {
    case RLS_ADMIN:
        return "admin";
    case RLS_USER:
        return "user";
    case RLS_GUEST:
        return "guest";
    }
    return "guest";
}

bool policy_members_known(const struct json_value *object, const char *const *names, size_t count)
{
    bool known = true;
    for (size_t i = 0; known && i < object->as.object.count; i++) {
        size_t at = 0;
        while (at < count && !span_equal(span_str(names[at]), object->as.object.members[i].name)) {
            at++;
        }
        known = at < count;
    }
    return known;
}

static bool group_of(const struct json_value *name, enum rls_group *out_group)
{
    static const struct {
        const char *name;
        enum rls_group group;
    } groups[] = {{"guest", RLS_GUEST}, {"user", RLS_USER}, {"admin", RLS_ADMIN}};

    for (size_t i = 0; name != NULL && name->type == JSON_STRING && i < ARRAY_LENGTH(groups); i++) {
        if (span_equal(span_str(groups[i].name), name->as.text)) {
            *out_group = groups[i].group;
            return true;
        }
    }
    return false;
}

static enum err read_roles(struct arena *arena, const struct json_value *roles, const char *where, struct rls_who *who,
                           struct rls_problem *problem)
{
    void *memory = NULL;

    if (roles == NULL) {
        return ERR_OK;
    }
    if (roles->type != JSON_ARRAY || roles->as.array.count > RLS_WHO_ROLES_MAX) {
        return refuse(problem, where, ".roles", "must be a list of at most 64 roles");
    }
    TRY(arena_alloc_array(arena, roles->as.array.count, sizeof(struct span), &memory));
    struct span *names = memory;
    for (size_t i = 0; i < roles->as.array.count; i++) {
        const struct json_value *role = &roles->as.array.items[i];
        if (role->type != JSON_STRING || !rls_role_name_valid(role->as.text)) {
            return refuse(problem, where, ".roles", "has what is no name of a custom role");
        }
        names[i] = role->as.text;
    }
    who->roles = names;
    who->role_count = roles->as.array.count;
    return ERR_OK;
}

enum err policy_who_read(struct arena *arena, const struct json_value *as, const char *where, struct rls_who *out_who,
                         struct rls_problem *out_problem)
{
    static const char *const members[] = {"group", "userId", "roles"};
    const bool whole = as != NULL && as->type == JSON_OBJECT;
    const struct json_value *id = json_find(as, span_lit("userId"));
    struct rls_who who = {.group = RLS_GUEST};

    if (!group_of(whole ? json_find(as, span_lit("group")) : as, &who.group) ||
        (whole && !policy_members_known(as, members, ARRAY_LENGTH(members)))) {
        return refuse(out_problem, where, "", "must be guest, user, admin or an object of group, userId and roles");
    }
    if (id != NULL && (id->type != JSON_STRING || id->as.text.len == 0 || id->as.text.len > ROW_CREATED_BY_MAX)) {
        return refuse(out_problem, where, ".userId", "must be a text of 1 to 64 bytes");
    }
    who.id = id != NULL ? id->as.text : who.group == RLS_USER ? span_lit(POLICY_WHO_USER) : SPAN_NONE;
    TRY(read_roles(arena, json_find(as, span_lit("roles")), where, &who, out_problem));
    *out_who = who;
    return ERR_OK;
}
