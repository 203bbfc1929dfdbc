/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of users' profiles and settings. An empty text is not stored, so it reads as null; where a text may not be
 * empty, null takes it away. Spec: contract 5.10. */
#include "firmware/data/people_fields.h"

#include "hal/base/fault.h"

#define URL_MAX  2048 /* bytes */
#define LINK_MAX 200  /* code points */

struct text_rule_of {
    size_t min, max;     /* code points */
    const char *choices; /* "|a|b|": one of these; NULL: any */
};
typedef bool fits(const struct text_rule_of *rule, struct span text);

struct text_member {
    enum person_part part;
    enum user_column column;
    const char *name;
    fits *fits;
    struct text_rule_of rule;
    bool needed; /* null does not take it away */
    enum refusal_code code;
    const char *why;
};

static bool is_short(const struct text_rule_of *rule, struct span text)
{
    const size_t points = span_code_points(text);

    return points >= rule->min && points <= rule->max;
}

static bool is_choice(const struct text_rule_of *rule, struct span text)
{
    struct span rest = span_str(rule->choices);

    while (rest.len > 1) {
        rest = span_of(rest.data + 1, rest.len - 1);
        const size_t len = span_find(rest, '|');
        if (span_equal(span_of(rest.data, len), text)) {
            return true;
        }
        rest = span_of(rest.data + len, rest.len - len);
    }
    return false;
}

/* All bytes are letters, digits or among the choices. */
static bool is_word(const struct text_rule_of *rule, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        const bool usual = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
        if (!usual && span_find(span_str(rule->choices), c) == span_str(rule->choices).len) {
            return false;
        }
    }
    return is_short(rule, text);
}

static bool is_slug(const struct text_rule_of *rule, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
            return false;
        }
    }
    return is_word(rule, text);
}

/* E.164: "+", then up to 15 digits of which the first is none of 0. */
static bool is_mobile(const struct text_rule_of *rule, struct span text)
{
    if (text.len < rule->min || text.len > rule->max || text.data[0] != '+' || text.data[1] == '0') {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

/* http or https, a host, and nothing that ends an attribute or a line. */
static bool is_url(const struct text_rule_of *rule, struct span text)
{
    const size_t scheme = span_starts_with(text, span_lit("https://")) ? sizeof("https://") - 1 : sizeof("http://") - 1;

    if (!span_starts_with(text, span_lit("https://")) && !span_starts_with(text, span_lit("http://"))) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (c <= ' ' || c == 0x7f || c == '"' || c == '\'' || c == '<' || c == '>' || c == '\\') {
            return false;
        }
    }
    return text.len > scheme && text.data[scheme] != '/' && text.len <= rule->max;
}

/* What pages show as a link: a URL, or a name at that service. No other scheme, which a page might follow. */
static bool is_link(const struct text_rule_of *rule, struct span text)
{
    return is_short(rule, text) && (is_url(rule, text) || span_find(text, ':') == text.len);
}

#define INVALID REFUSAL_USER_INVALID_REQUEST
static const struct text_member texts[] = {
    {PERSON_NAME,
     USER_NAME,
     "name",
     is_short,
     {1, DATA_PERSON_NAME, NULL},
     true,
     REFUSAL_USER_INVALID_NAME,
     "must be a text of 1 to 100 characters"},
    {PERSON_PROFILE,
     USER_NAME,
     "name",
     is_short,
     {1, DATA_PERSON_NAME, NULL},
     true,
     REFUSAL_USER_INVALID_NAME,
     "must be a text of 1 to 100 characters"},
    {PERSON_PROFILE,
     USER_NICKNAME,
     "nickname",
     is_short,
     {1, 50, NULL},
     false,
     REFUSAL_USER_INVALID_NICKNAME,
     "must be a text of 1 to 50 characters, or null"},
    {PERSON_PROFILE,
     USER_IMAGE,
     "image",
     is_url,
     {1, URL_MAX, NULL},
     false,
     INVALID,
     "must be an http or https URL of at most 2048 bytes, or null"},
    {PERSON_PROFILE,
     USER_MOBILE,
     "mobile",
     is_mobile,
     {3, 16, NULL},
     false,
     INVALID,
     "must be + and up to 15 digits (E.164), or null"},
    {PERSON_PROFILE,
     USER_GENDER,
     "gender",
     is_choice,
     {1, 6, "|none|male|female|etc|"},
     false,
     INVALID,
     "must be none, male, female, etc or null"},
    {PERSON_PROFILE,
     USER_BIO,
     "bio",
     is_short,
     {0, 500, NULL},
     false,
     INVALID,
     "must be a text of at most 500 characters, or null"},
    {PERSON_PREFERENCES,
     USER_LOCALE,
     "locale",
     is_word,
     {2, 35, "-_"},
     false,
     INVALID,
     "must be a language tag such as en or pt-BR, or null"},
    {PERSON_PREFERENCES,
     USER_TIMEZONE,
     "timezone",
     is_word,
     {1, 64, "/_+-"},
     false,
     INVALID,
     "must be the name of a time zone such as Europe/Berlin, or null"},
    {PERSON_PREFERENCES,
     USER_THEME,
     "theme",
     is_choice,
     {1, 6, "|light|dark|system|"},
     false,
     INVALID,
     "must be light, dark, system or null"},
    {PERSON_ONBOARDING,
     USER_ONBOARDING,
     "status",
     is_choice,
     {1, 9, "|pending|completed|"},
     true,
     INVALID,
     "must be pending or completed"},
    {PERSON_PUBLIC_SETTINGS,
     USER_SLUG,
     "slug",
     is_slug,
     {3, 50, "-"},
     false,
     INVALID,
     "must be 3 to 50 of a-z, 0-9 and -, or null"},
};

/* Of socialLinks, which an update replaces whole. */
static const struct text_member links[] = {
    {PERSON_PROFILE,
     USER_GITHUB,
     "github",
     is_link,
     {0, LINK_MAX, NULL},
     false,
     INVALID,
     "must be a URL or a name of at most 200 characters, or null"},
    {PERSON_PROFILE,
     USER_TWITTER,
     "twitter",
     is_link,
     {0, LINK_MAX, NULL},
     false,
     INVALID,
     "must be a URL or a name of at most 200 characters, or null"},
    {PERSON_PROFILE,
     USER_LINKEDIN,
     "linkedin",
     is_link,
     {0, LINK_MAX, NULL},
     false,
     INVALID,
     "must be a URL or a name of at most 200 characters, or null"},
};

/* Bit n of USER_NOTICES: it is not as it is at first. */
static const struct {
    const char *name;
    bool at_first;
} notices[] = {{"service", true}, {"marketing", false}, {"push", true},          {"email", true},
               {"sms", false},    {"nightTime", false}, {"securityAlerts", true}};

/* --- reading --- */

static enum err refuse_member(const struct text_member *member, struct refusal *refusal)
{
    return REFUSE_TEXT(refusal, member->code, span_str(member->name), span_lit(" "), span_str(member->why));
}

static enum err read_text(const struct text_member *member, const struct json_value *value, struct person *person,
                          struct refusal *refusal)
{
    struct span *text = person_text(person, (unsigned int)member->column);

    if (value->type == JSON_NULL && !member->needed) {
        *text = SPAN_NONE;
        return ERR_OK;
    }
    if (value->type != JSON_STRING || !member->fits(&member->rule, value->as.text)) {
        return refuse_member(member, refusal);
    }
    *text = value->as.text;
    return ERR_OK;
}

static enum err read_links(const struct json_value *body, struct person *person, struct refusal *refusal)
{
    static const struct json_value none = {.type = JSON_NULL};
    const struct json_value *given = json_find(body, span_lit("socialLinks"));

    if (given == NULL) {
        return ERR_OK;
    }
    if (given->type != JSON_OBJECT && given->type != JSON_NULL) {
        return refuse(refusal, INVALID, "socialLinks must be an object of github, twitter and linkedin, or null");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
        const struct json_value *link = json_find(given, span_str(links[i].name));
        TRY(read_text(&links[i], link == NULL ? &none : link, person, refusal));
    }
    return ERR_OK;
}

/* True or false, if it is there. */
static enum err read_bool(const struct json_value *body, struct span name, bool *value, struct refusal *refusal)
{
    const struct json_value *given = json_find(body, name);

    if (given == NULL) {
        return ERR_OK;
    }
    if (given->type != JSON_BOOL) {
        return refuse_at(refusal, INVALID, name, "must be true or false");
    }
    *value = given->as.boolean;
    return ERR_OK;
}

static bool notice_of(const struct person *person, size_t i)
{
    return notices[i].at_first != ((((uint64_t)person->notices >> i) & 1) != 0);
}

static enum err read_notices(const struct json_value *body, struct person *person, struct refusal *refusal)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(notices); i++) {
        bool on = notice_of(person, i);
        TRY(read_bool(body, span_str(notices[i].name), &on, refusal));
        bits |= on != notices[i].at_first ? UINT64_C(1) << i : 0;
    }
    person->notices = (int64_t)bits;
    return ERR_OK;
}

enum err person_part_read(enum person_part part, const struct json_value *body, struct person *person,
                          struct refusal *refusal)
{
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const struct json_value *value = json_find(body, span_str(texts[i].name));
        if (texts[i].part == part && value != NULL) {
            TRY(read_text(&texts[i], value, person, refusal));
        }
    }
    if (part == PERSON_PROFILE) {
        return read_links(body, person, refusal);
    }
    if (part == PERSON_NOTIFICATIONS) {
        return read_notices(body, person, refusal);
    }
    return part == PERSON_PUBLIC_SETTINGS ? read_bool(body, span_lit("isPublic"), &person->is_public, refusal) : ERR_OK;
}

/* --- writing --- */

static void write_text(struct json_out *out, const struct text_member *member, struct person *person)
{
    admin_write_text(out, span_str(member->name), *person_text(person, (unsigned int)member->column));
}

static void write_links(struct json_out *out, struct person *person)
{
    json_out_name(out, span_lit("socialLinks"));
    if (person->github.len + person->twitter.len + person->linkedin.len == 0) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LENGTH(links); i++) {
        write_text(out, &links[i], person);
    }
    json_out_object_end(out);
}

static void open_profile(struct json_out *out, const struct person *person, bool brief)
{
    json_out_member_text(out, span_lit("id"), person->id);
    if (!brief) {
        json_out_member_text(out, span_lit("email"), person->email);
    }
}

static void end_profile(struct json_out *out, struct person *person)
{
    write_links(out, person);
    json_out_member_text(out, span_lit("role"), person->role);
    json_out_member_time(out, span_lit("createdAt"), person->row.created_at);
    json_out_member_time(out, span_lit("updatedAt"), person->row.updated_at);
}

static void write_notices(struct json_out *out, const struct person *person)
{
    for (size_t i = 0; i < ARRAY_LENGTH(notices); i++) {
        json_out_member_bool(out, span_str(notices[i].name), notice_of(person, i));
    }
}

void person_part_write(struct json_out *out, enum person_part part, struct person *person, bool brief)
{
    json_out_object(out);
    person->onboarding = person->onboarding.len == 0 ? span_lit("pending") : person->onboarding;
    if (part == PERSON_PROFILE) {
        open_profile(out, person, brief);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        if (texts[i].part == part && !(brief && texts[i].column == USER_MOBILE)) {
            write_text(out, &texts[i], person);
        }
    }
    if (part == PERSON_PROFILE) {
        end_profile(out, person);
    }
    if (part == PERSON_NOTIFICATIONS) {
        write_notices(out, person);
    }
    if (part == PERSON_ONBOARDING) {
        json_out_member_time(out, span_lit("updatedAt"), person->row.updated_at);
    }
    if (part == PERSON_PUBLIC_SETTINGS) {
        json_out_member_bool(out, span_lit("isPublic"), person->is_public);
    }
    json_out_object_end(out);
}

enum err person_part_find(struct span segment, enum person_part *out_part)
{
    static const char *const names[PERSON_PART_END] = {[PERSON_PROFILE] = "profile",
                                                       [PERSON_PREFERENCES] = "preferences",
                                                       [PERSON_NOTIFICATIONS] = "notifications",
                                                       [PERSON_ONBOARDING] = "onboarding",
                                                       [PERSON_PUBLIC_SETTINGS] = "public-settings"};

    for (int part = PERSON_PROFILE; part < PERSON_PART_END; part++) {
        if (span_equal(segment, span_str(names[part]))) {
            *out_part = (enum person_part)part;
            return ERR_OK;
        }
    }
    FAIL(ERR_NOT_FOUND, "no part of a user", 0);
}
