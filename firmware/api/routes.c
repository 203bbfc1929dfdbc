/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The route table: the normative list of what there is, for whom, and in which states (contract 10). The first match
 * wins, so literal segments stand before parameters. The data routes come first because they are asked most.
 *
 * Segments arrive decoded once, and are compared byte by byte: no case folding, no second decoding. */
#include "firmware/api/request_int.h"

#include "firmware/data/email_settings.h"
#include "firmware/data/invitations.h"
#include "firmware/data/network.h"
#include "firmware/data/oidc.h"
#include "firmware/data/operators.h"
#include "firmware/data/providers.h"
#include "firmware/data/templates.h"
#include "hal/base/fault.h"

#define RUNNING ROUTE_IN(BOARD_OPERATIONAL)

/* POST, PATCH and DELETE that change something are carried out by the writer: {handle_..., operation}. */
static const struct route routes[] = {
    {HTTP_GET, "/v1/data/:table/spec", handle_spec, NULL, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/data/:table/openapi", handle_openapi, NULL, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/data/:table/:id", handle_read, NULL, ROUTE_KEY, RUNNING},
    {HTTP_PATCH, "/v1/data/:table/:id", handle_row_write, data_row_update, ROUTE_KEY, RUNNING},
    {HTTP_DELETE, "/v1/data/:table/:id", handle_row_write, data_row_delete, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/data/:table", handle_list, NULL, ROUTE_KEY, RUNNING},
    {HTTP_POST, "/v1/data/:table", handle_row_write, data_row_create, ROUTE_KEY, RUNNING},

    {HTTP_GET, "/healthz", handle_health, NULL, ROUTE_KEYLESS, ROUTE_ALWAYS},
    {HTTP_GET, "/readyz", handle_ready, NULL, ROUTE_KEYLESS, ROUTE_ALWAYS},
    {HTTP_GET, "/v1/system/state", handle_state, NULL, ROUTE_KEYLESS, ROUTE_ALWAYS},
    {HTTP_GET, "/v1/system/version", handle_version, NULL, ROUTE_OPERATOR, RUNNING},
    {HTTP_POST, "/v1/system/unlock", handle_unlock, NULL, ROUTE_KEYLESS, ROUTE_IN(BOARD_LOCKED)},
    {HTTP_GET, "/.well-known/jwks.json", handle_jwks, NULL, ROUTE_KEYLESS, RUNNING},

    {HTTP_POST, "/v1/auth/email/signup", handle_sign_up, data_sign_up, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/email/signin", handle_sign_in, data_sign_in, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/refresh", handle_refresh, data_refresh, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/email/callback", handle_magic_callback, data_magic_callback, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/password/reset/request", handle_reset_request, data_reset_request, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/password/reset/confirm", handle_reset_confirm, data_reset_confirm, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/password/change", handle_password_change, data_password_change, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/signup/email/resend", handle_confirmation_send, data_verify_send, ROUTE_OPEN, RUNNING},
    {HTTP_GET, "/v1/auth/signup/email/confirm", handle_verify_visit, data_verify_visit, ROUTE_KEYLESS, RUNNING},
    {HTTP_POST, "/v1/auth/email/verify/send", handle_verify_send, data_verify_send, ROUTE_MAYBE, RUNNING},
    {HTTP_POST, "/v1/auth/email/verify/resend", handle_verify_send, data_verify_send, ROUTE_MAYBE, RUNNING},
    {HTTP_POST, "/v1/auth/email/verify/confirm", handle_verify_confirm, data_verify_confirm, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/mfa/enable", handle_mfa_enable, data_mfa_enable, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/mfa/confirm", handle_mfa_confirm, data_mfa_confirm, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/mfa/disable", handle_mfa_disable, data_mfa_disable, ROUTE_USER, RUNNING},
    {HTTP_GET, "/v1/auth/me", handle_me, NULL, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/signout", handle_manage, data_sign_out, ROUTE_USER, RUNNING},
    {HTTP_DELETE, "/v1/auth/withdraw", handle_manage, data_withdraw, ROUTE_USER, RUNNING},
    {HTTP_GET, "/v1/auth/sessions", handle_sessions, NULL, ROUTE_USER, RUNNING},
    {HTTP_DELETE, "/v1/auth/sessions/:id", handle_manage, data_session_delete, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/switch-organization", handle_switch, data_switch, ROUTE_USER, RUNNING},
    {HTTP_GET, "/v1/auth/accounts", handle_accounts, NULL, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/accounts", handle_account_link, data_account_link, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/accounts/check", handle_account_check, NULL, ROUTE_OPEN, RUNNING},
    {HTTP_DELETE, "/v1/auth/accounts/:provider", handle_manage, data_account_unlink, ROUTE_USER, RUNNING},
    {HTTP_GET, "/v1/auth/invitations", handle_invitations, NULL, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/invitations", handle_invite, data_invitation_create, ROUTE_USER, RUNNING},
    {HTTP_POST, "/v1/auth/invitations/accept", handle_invitation_accept, data_invitation_accept, ROUTE_OPEN, RUNNING},
    {HTTP_POST, "/v1/auth/invitations/reject", handle_invitation_reject, data_invitation_reject, ROUTE_OPEN, RUNNING},
    {HTTP_GET, "/v1/auth/invitations/:id", handle_invitation, NULL, ROUTE_USER, RUNNING},
    {HTTP_DELETE, "/v1/auth/invitations/:id", handle_manage, data_invitation_revoke, ROUTE_USER, RUNNING},
    {HTTP_GET, "/v1/auth/:provider/callback", handle_provider_visit, data_oidc_sign_in, ROUTE_KEYLESS, RUNNING},
    {HTTP_POST, "/v1/auth/:provider/callback", handle_provider_callback, data_oidc_sign_in, ROUTE_OPEN, RUNNING},
    {HTTP_GET, "/v1/users", handle_users, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_POST, "/v1/users", handle_user_create, data_user_create, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id", handle_user, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id", handle_manage, data_user_update, ROUTE_PEOPLE, RUNNING},
    {HTTP_DELETE, "/v1/users/:id", handle_manage, data_user_delete, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/role", handle_manage, data_user_set_role, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/ban", handle_manage, data_user_set_ban, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id/profile", handle_user_part, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/profile", handle_user_part_change, data_user_change_part, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id/preferences", handle_user_part, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/preferences", handle_user_part_change, data_user_change_part, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id/notifications", handle_user_part, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/notifications", handle_user_part_change, data_user_change_part, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id/onboarding", handle_user_part, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/onboarding", handle_user_part_change, data_user_change_part, ROUTE_PEOPLE, RUNNING},
    {HTTP_GET, "/v1/users/:id/public-settings", handle_user_part, NULL, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/public-settings", handle_user_part_change, data_user_change_part, ROUTE_PEOPLE,
     RUNNING},
    {HTTP_POST, "/v1/users/:id/avatar/upload-url", handle_manage, data_avatar_upload, ROUTE_PEOPLE, RUNNING},
    {HTTP_PATCH, "/v1/users/:id/avatar", handle_manage, data_avatar_set, ROUTE_PEOPLE, RUNNING},
    {HTTP_DELETE, "/v1/users/:id/avatar", handle_manage, data_avatar_delete, ROUTE_PEOPLE, RUNNING},

    {HTTP_POST, "/v1/admin/auth/setup", handle_operator_setup, data_operator_setup, ROUTE_KEYLESS, RUNNING},
    {HTTP_POST, "/v1/admin/auth/signin", handle_sign_in, data_sign_in, ROUTE_OPERATORS, RUNNING},
    {HTTP_POST, "/v1/admin/auth/refresh", handle_refresh, data_refresh, ROUTE_OPERATORS, RUNNING},
    {HTTP_POST, "/v1/admin/auth/signout", handle_manage, data_sign_out, ROUTE_OPERATOR, RUNNING},
    {HTTP_POST, "/v1/admin/auth/password/change", handle_password_change, data_password_change, ROUTE_OPERATOR,
     RUNNING},
    {HTTP_POST, "/v1/admin/auth/mfa/enable", handle_mfa_enable, data_mfa_enable, ROUTE_OPERATOR, RUNNING},
    {HTTP_POST, "/v1/admin/auth/mfa/confirm", handle_mfa_confirm, data_mfa_confirm, ROUTE_OPERATOR, RUNNING},
    {HTTP_POST, "/v1/admin/auth/mfa/disable", handle_mfa_disable, data_mfa_disable, ROUTE_OPERATOR, RUNNING},
    {HTTP_GET, "/v1/admin/auth/me", handle_me, NULL, ROUTE_OPERATOR, RUNNING},
    {HTTP_GET, "/v1/admin/auth/sessions", handle_sessions, NULL, ROUTE_OPERATOR, RUNNING},
    {HTTP_DELETE, "/v1/admin/auth/sessions/:id", handle_manage, data_session_delete, ROUTE_OPERATOR, RUNNING},
    {HTTP_GET, "/v1/admin/organizations", handle_organizations, NULL, ROUTE_APPLIANCE, RUNNING},
    {HTTP_GET, "/v1/admin/organizations/:id", handle_organization, NULL, ROUTE_APPLIANCE, RUNNING},
    {HTTP_PATCH, "/v1/admin/organizations/:id", handle_manage, data_organization_update, ROUTE_APPLIANCE, RUNNING},
    {HTTP_GET, "/v1/admin/network", handle_network, NULL, ROUTE_APPLIANCE, RUNNING},
    {HTTP_PUT, "/v1/admin/network", handle_manage, data_network_set, ROUTE_APPLIANCE, RUNNING},
    {HTTP_GET, "/v1/admin/operators", handle_operators, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/operators", handle_operator_create, data_operator_create, ROUTE_OWNERS, RUNNING},
    {HTTP_PATCH, "/v1/admin/operators/:id", handle_operator_update, data_operator_update, ROUTE_OWNERS, RUNNING},
    {HTTP_DELETE, "/v1/admin/operators/:id", handle_manage, data_operator_delete, ROUTE_OWNERS, RUNNING},
    {HTTP_GET, "/v1/admin/updates", handle_update, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/updates", handle_update_begin, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/updates/bytes", handle_update_piece, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/updates/install", handle_update_install, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/secure-boot/plan", handle_secure_boot_plan, NULL, ROUTE_OWNERS, RUNNING},
    {HTTP_POST, "/v1/admin/system/keys/rotate", handle_manage, data_keys_rotate, ROUTE_OWNERS, RUNNING},
    {HTTP_GET, "/v1/admin/projects", handle_projects, NULL, ROUTE_PROJECTS, RUNNING},
    {HTTP_POST, "/v1/admin/projects", handle_manage, data_project_create, ROUTE_APPLIANCE, RUNNING},
    {HTTP_GET, "/v1/admin/projects/:id", handle_project, NULL, ROUTE_PROJECTS, RUNNING},
    {HTTP_PATCH, "/v1/admin/projects/:id", handle_manage, data_project_update, ROUTE_PROJECTS, RUNNING},
    {HTTP_DELETE, "/v1/admin/projects/:id", handle_manage, data_project_delete, ROUTE_APPLIANCE, RUNNING},
    {HTTP_GET, "/v1/admin/projects/:id/cors", handle_cors, NULL, ROUTE_PROJECTS, RUNNING},
    {HTTP_PUT, "/v1/admin/projects/:id/cors", handle_manage, data_project_set_cors, ROUTE_PROJECTS, RUNNING},
    {HTTP_GET, "/v1/admin/environments", handle_environments, NULL, ROUTE_PROJECTS, RUNNING},
    {HTTP_POST, "/v1/admin/environments", handle_manage, data_environment_create, ROUTE_PROJECTS, RUNNING},
    {HTTP_GET, "/v1/admin/environments/:id", handle_environment, NULL, ROUTE_PROJECTS, RUNNING},
    {HTTP_DELETE, "/v1/admin/environments/:id", handle_manage, data_environment_delete, ROUTE_PROJECTS, RUNNING},
    {HTTP_GET, "/v1/admin/tables", handle_tables, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_POST, "/v1/admin/tables", handle_manage, data_table_create, ROUTE_TABLES, RUNNING},
    {HTTP_GET, "/v1/admin/tables/:id", handle_table, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_PATCH, "/v1/admin/tables/:id", handle_manage, data_table_update, ROUTE_TABLES, RUNNING},
    {HTTP_DELETE, "/v1/admin/tables/:id", handle_manage, data_table_delete, ROUTE_TABLES, RUNNING},
    {HTTP_PUT, "/v1/admin/tables/:id/policy", handle_manage, data_table_set_policy, ROUTE_TABLES, RUNNING},
    {HTTP_POST, "/v1/admin/tables/:id/fields", handle_manage, data_table_change_fields, ROUTE_TABLES, RUNNING},
    {HTTP_POST, "/v1/admin/tables/:id/indexes", handle_manage, data_table_change_indexes, ROUTE_TABLES, RUNNING},
    {HTTP_GET, "/v1/admin/tables/:id/indexes/versions", handle_index_versions, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_GET, "/v1/admin/tables/:id/schema/versions", handle_schema_versions, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_GET, "/v1/admin/tables/:id/schema/versions/:version", handle_schema_version, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_POST, "/v1/admin/tables/:id/schema/rollback", handle_manage, data_table_rollback_schema, ROUTE_TABLES,
     RUNNING},
    {HTTP_POST, "/v1/admin/explain", handle_explain, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_POST, "/v1/admin/simulate", handle_simulate, NULL, ROUTE_TABLES, RUNNING},
    {HTTP_GET, "/v1/admin/api-keys", handle_keys, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_POST, "/v1/admin/api-keys", handle_manage, data_key_create, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/api-keys/:id", handle_key, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_DELETE, "/v1/admin/api-keys/:id", handle_manage, data_key_delete, ROUTE_SETTINGS, RUNNING},
    {HTTP_POST, "/v1/admin/api-keys/:id/revoke", handle_manage, data_key_revoke, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/auth-providers/email", handle_email_provider, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_PUT, "/v1/admin/auth-providers/email", handle_manage, data_email_provider_set, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/auth-providers/:provider", handle_oidc_provider, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_PUT, "/v1/admin/auth-providers/:provider", handle_manage, data_oidc_set, ROUTE_SETTINGS, RUNNING},
    {HTTP_DELETE, "/v1/admin/auth-providers/:provider", handle_manage, data_oidc_delete, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/email-settings", handle_email_settings, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_PUT, "/v1/admin/email-settings", handle_manage, data_email_settings_set, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/email-templates", handle_templates, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/email-templates/:category", handle_template, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_PUT, "/v1/admin/email-templates/:category", handle_manage, data_template_set, ROUTE_SETTINGS, RUNNING},
    {HTTP_POST, "/v1/admin/email-templates/:category/preview", handle_template_preview, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/audit", handle_audit, NULL, ROUTE_AUDIT, RUNNING},
    {HTTP_GET, "/v1/admin/audit/verify", handle_audit_verify, NULL, ROUTE_AUDITORS, RUNNING},
    {HTTP_GET, "/v1/admin/outbox", handle_outbox, NULL, ROUTE_SETTINGS, RUNNING},
    {HTTP_GET, "/v1/admin/outbox/:id", handle_mail, NULL, ROUTE_SETTINGS, RUNNING},

    /* The short form of the data routes: contract 4.1. */
    {HTTP_GET, "/v1/~table/spec", handle_spec, NULL, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/~table/openapi", handle_openapi, NULL, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/~table/:id", handle_read, NULL, ROUTE_KEY, RUNNING},
    {HTTP_PATCH, "/v1/~table/:id", handle_row_write, data_row_update, ROUTE_KEY, RUNNING},
    {HTTP_DELETE, "/v1/~table/:id", handle_row_write, data_row_delete, ROUTE_KEY, RUNNING},
    {HTTP_GET, "/v1/~table", handle_list, NULL, ROUTE_KEY, RUNNING},
    {HTTP_POST, "/v1/~table", handle_row_write, data_row_create, ROUTE_KEY, RUNNING},
};

const struct route *route_table(size_t *out_count)
{
    *out_count = ARRAY_LENGTH(routes);
    return routes;
}

bool route_is_administrators(const struct http_exchange *exchange)
{
    const struct span *const segments = exchange->segments;

    if (exchange->segment_count < 2 || !span_equal(segments[0], span_lit("v1"))) {
        return false;
    }
    return span_equal(segments[1], span_lit("admin")) ||
           (exchange->segment_count == 3 && span_equal(segments[1], span_lit("system")) &&
            span_equal(segments[2], span_lit("unlock")));
}

/* Contract 4.1: names that the short form leaves to other routes. */
static bool is_reserved(struct span segment)
{
    static const char *const reserved[] = {"data",    "auth",   "users",  "files", "admin",        "mcp",
                                           "storage", "health", "system", "batch", "openapi.json", "healthz"};

    for (size_t i = 0; i < ARRAY_LENGTH(reserved); i++) {
        if (span_equal(segment, span_str(reserved[i]))) {
            return true;
        }
    }
    return false;
}

/* The pattern's next segment, without its '/'. False at the end. */
static bool next_segment(struct span *pattern, struct span *out_segment)
{
    if (pattern->len == 0) {
        return false;
    }
    const struct span rest = span_of(pattern->data + 1, pattern->len - 1);
    const size_t len = span_find(rest, '/');
    *out_segment = span_of(rest.data, len);
    *pattern = span_of(rest.data + len, rest.len - len);
    return true;
}

static bool matches(const struct route *route, const struct http_exchange *exchange, struct span params[API_PARAMS_MAX])
{
    struct span pattern = span_str(route->pattern);
    struct span want = SPAN_NONE;
    size_t at = 0;
    size_t param = 0;

    for (; next_segment(&pattern, &want); at++) {
        if (at == exchange->segment_count) {
            return false;
        }
        const struct span segment = exchange->segments[at];
        const bool open = want.data[0] == ':' || want.data[0] == '~';
        if (open ? want.data[0] == '~' && is_reserved(segment) : !span_equal(want, segment)) {
            return false;
        }
        if (open) {
            INVARIANT(param < API_PARAMS_MAX);
            params[param++] = segment;
        }
    }
    return at == exchange->segment_count;
}

enum err route_find(const struct http_exchange *exchange, const struct route **out_route,
                    struct span out_params[API_PARAMS_MAX], unsigned int *out_allowed)
{
    struct span params[API_PARAMS_MAX] = {SPAN_NONE, SPAN_NONE};
    unsigned int allowed = 0;

    if (!exchange->path_ok || exchange->segment_count == 0) {
        return ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (!matches(&routes[i], exchange, params)) {
            continue;
        }
        if (routes[i].method == exchange->method) {
            *out_route = &routes[i];
            for (size_t param = 0; param < API_PARAMS_MAX; param++) {
                out_params[param] = params[param];
            }
            return ERR_OK;
        }
        allowed |= 1u << (unsigned int)routes[i].method;
    }
    *out_allowed = allowed;
    return allowed == 0 ? ERR_NOT_FOUND : ERR_UNSUPPORTED;
}
