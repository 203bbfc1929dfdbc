/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of users, sessions and accounts: read, encoded, found. Each is one run over its columns; a row that is not of its
 * form is damage, because only this program writes them. */
#include "firmware/data/people.h"

#include <string.h>

#include "firmware/data/people_int.h"
#include "hal/base/fault.h"

#define PASSWORD_VERSION 1u
#define PASSWORD_BYTES   (PASSWORD_TEXT_BYTES / 2)

/* --- passwords --- */

void password_encode(const struct data_password *password, char out_text[PASSWORD_TEXT_BYTES])
{
    uint8_t bytes[PASSWORD_BYTES];

    bytes[0] = PASSWORD_VERSION;
    put_u32be(bytes + 1, password->pepper_version);
    put_u32be(bytes + 5, password->cost.memory_kib);
    put_u32be(bytes + 9, password->cost.passes);
    memcpy(bytes + 13, password->salt, PWHASH_SALT_BYTES);
    memcpy(bytes + 13 + PWHASH_SALT_BYTES, password->hash, PWHASH_BYTES);
    hex_encode(span_array(bytes), out_text);
    mem_wipe(bytes, sizeof bytes);
}

enum err password_decode(struct span text, struct data_password *out_password)
{
    uint8_t bytes[PASSWORD_BYTES];

    ENSURE(hex_decode(text, bytes, sizeof bytes) == ERR_OK && bytes[0] == PASSWORD_VERSION, ERR_DAMAGED,
           "a password hash of another form");
    out_password->pepper_version = get_u32be(bytes + 1);
    out_password->cost = (struct pwhash_cost){get_u32be(bytes + 5), get_u32be(bytes + 9)};
    memcpy(out_password->salt, bytes + 13, PWHASH_SALT_BYTES);
    memcpy(out_password->hash, bytes + 13 + PWHASH_SALT_BYTES, PWHASH_BYTES);
    mem_wipe(bytes, sizeof bytes);
    return ERR_OK;
}

/* --- reading --- */

static enum err take_text(const struct row_value *value, struct span *out_text)
{
    ENSURE(value->type == ROW_STRING || value->type == ROW_NULL, ERR_DAMAGED, "a text expected");
    *out_text = value->type == ROW_STRING ? value->bytes : SPAN_NONE;
    return ERR_OK;
}

static enum err take_bool(const struct row_value *value, bool *out_bool)
{
    ENSURE(value->type == ROW_BOOL, ERR_DAMAGED, "true or false expected");
    *out_bool = value->boolean;
    return ERR_OK;
}

static enum err take_date(const struct row_value *value, bool *out_there, struct wall_time *out_time)
{
    ENSURE(value->type == ROW_DATE, ERR_DAMAGED, "an instant expected");
    *out_there = true;
    *out_time = value->date;
    return ERR_OK;
}

static enum err take_roles(const struct row_value *value, struct person *person)
{
    struct row_iter iter = row_iter_of(value);
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        ENSURE(person->role_count < AUTH_ROLES_MAX, ERR_DAMAGED, "more roles than a user may have");
        TRY(take_text(&member.value, &person->roles[person->role_count++]));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a list of roles is damaged");
    return ERR_OK;
}

bool person_has_role(const struct person *person, struct span role)
{
    for (size_t i = 0; i < person->role_count; i++) {
        if (span_equal(person->roles[i], role)) {
            return true;
        }
    }
    return false;
}

static const size_t person_texts[USER_COLUMN_END] = {
    [USER_EMAIL] = offsetof(struct person, email),       [USER_NAME] = offsetof(struct person, name),
    [USER_ROLE] = offsetof(struct person, role),         [USER_IMAGE] = offsetof(struct person, image),
    [USER_NICKNAME] = offsetof(struct person, nickname), [USER_ONBOARDING] = offsetof(struct person, onboarding),
    [USER_MOBILE] = offsetof(struct person, mobile),     [USER_GENDER] = offsetof(struct person, gender),
    [USER_BIO] = offsetof(struct person, bio),           [USER_GITHUB] = offsetof(struct person, github),
    [USER_TWITTER] = offsetof(struct person, twitter),   [USER_LINKEDIN] = offsetof(struct person, linkedin),
    [USER_LOCALE] = offsetof(struct person, locale),     [USER_TIMEZONE] = offsetof(struct person, timezone),
    [USER_THEME] = offsetof(struct person, theme),       [USER_SLUG] = offsetof(struct person, slug),
};

struct span *person_text(struct person *person, unsigned int column)
{
    if (column >= ARRAY_LENGTH(person_texts) || person_texts[column] == 0) {
        return NULL;
    }
    return (struct span *)(void *)((char *)person + person_texts[column]);
}

static enum err take_user_column(const struct row_member *member, struct person *person)
{
    struct span *text = person_text(person, member->column);

    if (text != NULL) {
        return take_text(&member->value, text);
    }
    if (member->column == USER_ROLES) {
        return take_roles(&member->value, person);
    }
    if (member->column == USER_VERIFIED_AT) {
        return take_date(&member->value, &person->verified, &person->verified_at);
    }
    if (member->column == USER_BANNED) {
        return take_bool(&member->value, &person->banned);
    }
    if (member->column == USER_MFA) {
        return take_bool(&member->value, &person->mfa);
    }
    if (member->column == USER_PUBLIC) {
        return take_bool(&member->value, &person->is_public);
    }
    ENSURE(member->column == USER_NOTICES && member->value.type == ROW_INT, ERR_DAMAGED, "a user with another column");
    person->notices = member->value.integer;
    return ERR_OK;
}

enum err person_read(const struct row *row, struct person *out_person)
{
    struct row_iter iter = row_iter_columns(row);
    struct person person = {.row = *row, .id = row->created_by};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_user_column(&member, &person));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a user's row is damaged");
    ENSURE(person.id.len == AUTH_UUID_BYTES, ERR_DAMAGED, "a user without an id");
    *out_person = person;
    return ERR_OK;
}

enum rls_group person_group(struct span role)
{
    if (span_equal(role, span_lit("admin"))) {
        return RLS_ADMIN;
    }
    return span_equal(role, span_lit("user")) ? RLS_USER : RLS_GUEST;
}

static enum err take_digest(const struct row_value *value, bool *out_there, uint8_t out_digest[SHA256_BYTES])
{
    struct span hex = SPAN_NONE;

    TRY(take_text(value, &hex));
    ENSURE(hex_decode(hex, out_digest, SHA256_BYTES) == ERR_OK, ERR_DAMAGED, "digest of a token");
    *out_there = true;
    return ERR_OK;
}

static enum err take_session_column(const struct row_member *member, struct session *session)
{
    bool there = false;

    switch ((enum session_column)member->column) {
    case SESSION_ID:
        return take_text(&member->value, &session->id);
    case SESSION_USER_AGENT:
        return take_text(&member->value, &session->user_agent);
    case SESSION_ADDRESS:
        return take_text(&member->value, &session->address);
    case SESSION_DEVICE:
        return take_text(&member->value, &session->device);
    case SESSION_ACTIVE_AT:
        return take_date(&member->value, &there, &session->active_at);
    case SESSION_ENDS_AT:
        return take_date(&member->value, &there, &session->ends_at);
    case SESSION_REFRESH:
        return take_digest(&member->value, &there, session->refresh);
    case SESSION_BEFORE:
        return take_digest(&member->value, &session->has_before, session->before);
    case SESSION_NEXT_REFRESH:
        return take_text(&member->value, &session->next_refresh);
    case SESSION_NEXT_ACCESS:
        return take_text(&member->value, &session->next_access);
    case SESSION_ACCESS:
        return take_digest(&member->value, &session->has_access, session->access);
    case SESSION_COLUMN_END:
        break;
    }
    FAIL(ERR_DAMAGED, "a session with another column", member->column);
}

enum err session_read(const struct row *row, struct session *out_session)
{
    struct row_iter iter = row_iter_columns(row);
    struct session session = {.row = *row, .user = row->created_by};
    struct row_member member;
    enum err err = ERR_OK;

    while ((err = row_iter_next(&iter, &member)) == ERR_OK) {
        TRY(take_session_column(&member, &session));
    }
    ENSURE(err == ERR_NOT_FOUND, ERR_DAMAGED, "a session's row is damaged");
    *out_session = session;
    return ERR_OK;
}

/* --- encoding --- */

static struct row_key key_of(int column)
{
    return (struct row_key){.column = (uint16_t)column, .name = SPAN_NONE};
}

/* An empty text is not stored. */
static enum err put_text(struct row_builder *builder, int column, struct span text)
{
    return text.len == 0 ? ERR_OK : row_build_string(builder, key_of(column), text);
}

static enum err put_roles(struct row_builder *builder, const struct person *person)
{
    TRY(row_build_open_array(builder, key_of(USER_ROLES)));
    for (size_t i = 0; i < person->role_count; i++) {
        TRY(row_build_string(builder, (struct row_key){.column = ROW_COLUMN_NONE}, person->roles[i]));
    }
    return row_build_close(builder);
}

static enum err put_user_column(struct row_builder *builder, struct person *person, int column)
{
    const struct span *text = person_text(person, (unsigned int)column);

    if (text != NULL) {
        return put_text(builder, column, *text);
    }
    if (column == USER_ROLES) {
        return put_roles(builder, person);
    }
    if (column == USER_VERIFIED_AT) {
        return person->verified ? row_build_date(builder, key_of(column), person->verified_at) : ERR_OK;
    }
    if (column == USER_NOTICES) {
        return row_build_int(builder, key_of(column), person->notices);
    }
    INVARIANT(column == USER_BANNED || column == USER_MFA || column == USER_PUBLIC);
    return row_build_bool(builder, key_of(column),
                          column == USER_BANNED ? person->banned
                                                : (column == USER_MFA ? person->mfa : person->is_public));
}

enum err person_encode(struct data *data, const struct person *person, struct wall_time updated,
                       struct span *out_encoded)
{
    struct person all = *person;
    struct row_builder builder;

    TRY(row_build_begin(&builder, data->row, person->row.created_at, updated, person->id));
    for (int column = USER_EMAIL; column < USER_COLUMN_END; column++) {
        TRY(put_user_column(&builder, &all, column));
    }
    return row_build_end(&builder, out_encoded);
}

static enum err put_digest(struct row_builder *builder, int column, const uint8_t digest[SHA256_BYTES])
{
    char hex[HEX_BYTES(SHA256_BYTES)];

    hex_encode(span_of(digest, SHA256_BYTES), hex);
    return row_build_string(builder, key_of(column), span_array(hex));
}

enum err session_encode(struct data *data, const struct session *session, struct wall_time updated,
                        struct span *out_encoded)
{
    struct row_builder builder;

    TRY(row_build_begin(&builder, data->row, session->row.created_at, updated, session->user));
    TRY(put_text(&builder, SESSION_ID, session->id));
    TRY(put_text(&builder, SESSION_USER_AGENT, session->user_agent));
    TRY(put_text(&builder, SESSION_ADDRESS, session->address));
    TRY(put_text(&builder, SESSION_DEVICE, session->device));
    TRY(row_build_date(&builder, key_of(SESSION_ACTIVE_AT), session->active_at));
    TRY(row_build_date(&builder, key_of(SESSION_ENDS_AT), session->ends_at));
    TRY(put_digest(&builder, SESSION_REFRESH, session->refresh));
    TRY(session->has_before ? put_digest(&builder, SESSION_BEFORE, session->before) : ERR_OK);
    TRY(put_text(&builder, SESSION_NEXT_REFRESH, session->next_refresh));
    TRY(put_text(&builder, SESSION_NEXT_ACCESS, session->next_access));
    TRY(session->has_access ? put_digest(&builder, SESSION_ACCESS, session->access) : ERR_OK);
    return row_build_end(&builder, out_encoded);
}

/* --- finding --- */

static enum err index_over(struct store_snap *snap, struct table_id table, uint16_t column, struct index_id *out_index)
{
    const struct store_index *indexes = NULL;
    size_t count = 0;

    TRY(store_indexes(snap, table, &indexes, &count));
    ENSURE(count > 0, ERR_DAMAGED, "a table without its index of owners");
    *out_index = indexes[0].id;
    for (size_t i = 1; column != 0 && i < count; i++) {
        if (indexes[i].def.field_count == 1 && indexes[i].def.fields[0].field.column == column) {
            *out_index = indexes[i].id;
            return ERR_OK;
        }
    }
    ENSURE(column == 0, ERR_DAMAGED, "a table without an index it was made with");
    return ERR_OK;
}

enum err people_scan(struct store_snap *snap, struct table_id table, uint16_t column, const struct row_value *text)
{
    struct store_scan scan = {.table = table, .equal = text, .equal_count = 1};

    TRY(index_over(snap, table, column, &scan.index));
    return store_scan_begin(snap, &scan);
}

enum err people_scan_newest(struct store_snap *snap, struct table_id table, const struct row_value *owner)
{
    struct store_scan scan = {.table = table, .backward = true, .equal = owner, .equal_count = 1};

    TRY(index_over(snap, table, 0, &scan.index));
    return store_scan_begin(snap, &scan);
}

enum err people_scan_sorted(struct store_snap *snap, struct table_id table, uint16_t column)
{
    struct store_scan scan = {.table = table};

    TRY(index_over(snap, table, column, &scan.index));
    return store_scan_begin(snap, &scan);
}

enum err people_find(struct store_snap *snap, struct table_id table, uint16_t column, struct span text,
                     struct row *out_row)
{
    const struct row_value value = {.type = ROW_STRING, .bytes = text};

    const enum err err = people_scan(snap, table, column, &value);
    if (err != ERR_OK) {
        return err;
    }
    return walk_next(snap, out_row);
}

/* A look-up that finds nothing is no fault. */
static enum err quiet(enum err err)
{
    if (err == ERR_NOT_FOUND) {
        fault_clear();
    }
    return err;
}

enum err people_find_user(struct store_snap *snap, const struct catalog_people *where, struct span id,
                          struct person *out_person)
{
    struct row row;

    const enum err err = people_find(snap, where->users, 0, id, &row);
    return err == ERR_OK ? person_read(&row, out_person) : quiet(err);
}

enum err people_find_email(struct store_snap *snap, const struct catalog_people *where, struct span email,
                           struct person *out_person)
{
    struct row row;

    const enum err err = people_find(snap, where->users, USER_EMAIL, email, &row);
    return err == ERR_OK ? person_read(&row, out_person) : quiet(err);
}

/* Whoever's address comes next. Behind the last address there is none: then the last row, which is reached without another
 * search of an index. */
enum err people_find_email_or_other(struct store_snap *snap, const struct catalog_people *where, struct span email,
                                    struct person *out_person, bool *out_is_it)
{
    const struct row_value value = {.type = ROW_STRING, .bytes = email};
    struct store_scan scan = {.table = where->users, .lower = {&value, true}};
    struct row_id last;
    struct row row;

    TRY(index_over(snap, where->users, USER_EMAIL, &scan.index));
    TRY(store_scan_begin(snap, &scan));
    enum err err = walk_next(snap, &row);
    if (err == ERR_NOT_FOUND) {
        fault_clear();
        memset(last.bytes, UINT8_MAX, sizeof last.bytes);
        err = store_get_near(snap, where->users, last, &row);
    }
    if (err != ERR_OK) {
        return quiet(err);
    }
    TRY(person_read(&row, out_person));
    *out_is_it = span_equal(out_person->email, email);
    return ERR_OK;
}

enum err people_find_session(struct store_snap *snap, const struct catalog_people *where, struct span id,
                             struct session *out_session)
{
    struct row row;

    const enum err err = people_find(snap, where->sessions, SESSION_ID, id, &row);
    return err == ERR_OK ? session_read(&row, out_session) : quiet(err);
}

/* Who has none costs what others do: the account behind is opened, and at the end of the index some other one. */
enum err people_find_password(struct store_snap *snap, const struct catalog_people *where, struct span user,
                              struct row *out_row, struct data_password *out_password)
{
    const struct row_field field = {.column = ACCOUNT_PASSWORD, .name = SPAN_NONE, .path = SPAN_NONE};
    const struct row_value owner = {.type = ROW_STRING, .bytes = user};
    struct store_scan scan = {.table = where->accounts, .lower = {&owner, true}};
    struct row_value value = {.type = ROW_MISSING};
    char own[AUTH_UUID_BYTES]; /* what `user` views may end with the next row */

    ENSURE(user.len == sizeof own, ERR_DAMAGED, "the id of a user");
    memcpy(own, user.data, sizeof own);
    TRY(index_over(snap, where->accounts, 0, &scan.index));
    TRY(store_scan_begin(snap, &scan));
    while (value.type == ROW_MISSING) {
        enum err err = walk_next(snap, out_row);
        if (err == ERR_NOT_FOUND) {
            fault_clear();
            err = store_get_near(snap, where->accounts, (struct row_id){{0}}, out_row);
            return err == ERR_OK ? ERR_NOT_FOUND : quiet(err);
        }
        TRY(err);
        if (!span_equal(out_row->created_by, span_array(own))) {
            return ERR_NOT_FOUND;
        }
        TRY(row_find(out_row, &field, NULL, &value));
    }
    return password_decode(value.bytes, out_password);
}

enum err people_of(const struct catalog *catalog, struct span environment_id, struct catalog_people *out_where)
{
    const struct catalog_environment *environment = catalog_environment(catalog, environment_id);

    if (environment == NULL) {
        return ERR_NOT_FOUND;
    }
    *out_where = environment->people;
    return ERR_OK;
}

/* --- objects of the API: contract 5.1, 5.10 --- */

static void write_verified(struct json_out *out, const struct person *person)
{
    if (person->verified) {
        json_out_member_time(out, span_lit("emailVerified"), person->verified_at);
    } else {
        json_out_member_null(out, span_lit("emailVerified"));
    }
}

static void write_times(struct json_out *out, const struct person *person)
{
    json_out_member_time(out, span_lit("createdAt"), person->row.created_at);
    json_out_member_time(out, span_lit("updatedAt"), person->row.updated_at);
}

void person_write_brief(struct json_out *out, const struct person *person)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), person->id);
    json_out_member_text(out, span_lit("email"), person->email);
    json_out_member_text(out, span_lit("name"), person->name);
    json_out_member_text(out, span_lit("role"), person->role);
    admin_write_text(out, span_lit("image"), person->image);
    write_verified(out, person);
    write_times(out, person);
    json_out_object_end(out);
}

static void write_roles(struct json_out *out, const struct person *person)
{
    json_out_name(out, span_lit("roles"));
    json_out_array(out);
    for (size_t i = 0; i < person->role_count; i++) {
        json_out_text(out, person->roles[i]);
    }
    json_out_array_end(out);
}

static void write_all(struct json_out *out, const struct person *person)
{
    json_out_member_text(out, span_lit("id"), person->id);
    json_out_member_text(out, span_lit("role"), person->role);
    json_out_member_text(out, span_lit("name"), person->name);
    json_out_member_text(out, span_lit("email"), person->email);
    write_verified(out, person);
    admin_write_text(out, span_lit("image"), person->image);
    json_out_member_text(out, span_lit("onboardingStatus"),
                         person->onboarding.len == 0 ? span_lit("pending") : person->onboarding);
    admin_write_text(out, span_lit("nickname"), person->nickname);
    write_roles(out, person);
    json_out_member_bool(out, span_lit("mfaEnabled"), person->mfa);
}

void person_write_me(struct json_out *out, const struct person *person)
{
    json_out_object(out);
    write_all(out, person);
    write_times(out, person);
    json_out_object_end(out);
}

void person_write_open(struct json_out *out, const struct person *person)
{
    json_out_object(out);
    write_all(out, person);
    json_out_member_bool(out, span_lit("banned"), person->banned);
    write_times(out, person);
}

void person_write_full(struct json_out *out, const struct person *person)
{
    person_write_open(out, person);
    json_out_object_end(out);
}

void person_write_public(struct json_out *out, const struct person *person)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("id"), person->id);
    json_out_member_text(out, span_lit("name"), person->name);
    admin_write_text(out, span_lit("nickname"), person->nickname);
    admin_write_text(out, span_lit("image"), person->image);
    json_out_member_time(out, span_lit("createdAt"), person->row.created_at);
    json_out_object_end(out);
}
