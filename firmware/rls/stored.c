/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stored form of a policy. It has one form for each policy: reading it makes the policy anew from the texts and then
 * compares what that policy would be stored as, so a program that is not its text's, an order that is not ours or a byte
 * too many is damage and never something to evaluate.
 *
 *   version(1) | given(1) | subjects(4 x 2) | settings set(4) | settings(9 x 1) | rows per owner(4)
 *   | rule of each operation(5) | columns(1), each: length(1) name, rule for reading, rule for writing
 *   | filters(1), each: rule, length(4) JSON text | length(4) JSON text of the tests
 *   rule: length(2) text, length(2) program; both empty: there is none */
#include "firmware/rls/rls.h"

#include <string.h>

#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define POLICY_VERSION 2

/* Bits of `given`: which members are not null. */
#define GIVEN_PERMISSIONS 0x1u
#define GIVEN_EXPRESSIONS 0x2u
#define GIVEN_COLUMNS     0x4u
#define GIVEN_FILTERS     0x8u
#define GIVEN_ALL         (GIVEN_PERMISSIONS | GIVEN_EXPRESSIONS | GIVEN_COLUMNS | GIVEN_FILTERS)

_Static_assert((1 + 1 + 2 * RLS_SUBJECTS + 4 + RLS_SETTING_BYTES + 4) /* up to the rules */
                       + RLS_OPS * 4 + 1 + RLS_COLUMNS_MAX * (1 + 2 * 4) + 1 + RLS_FILTERS_MAX * (4 + 4) + 4 <=
                   RLS_STORED_OVERHEAD,
               "a policy that can be made can be stored");

/* --- writing --- */

static enum err put_text16(struct buf *out, struct span text)
{
    TRY(buf_put_u16be(out, (uint16_t)text.len));
    return buf_put(out, text);
}

static enum err put_text32(struct buf *out, struct span text)
{
    TRY(buf_put_u32be(out, (uint32_t)text.len));
    return buf_put(out, text);
}

static enum err put_rule(const struct rls_policy *policy, const struct rls_rule *rule, struct buf *out)
{
    TRY(put_text16(out, rls_piece_of(policy, rule->source)));
    return put_text16(out, rls_piece_of(policy, rule->program));
}

static enum err put_head(const struct rls_head *head, struct buf *out)
{
    uint8_t settings[RLS_SETTING_BYTES];
    const unsigned int given = (head->configured ? GIVEN_PERMISSIONS : 0) |
                               (head->expressions ? GIVEN_EXPRESSIONS : 0) | (head->columns_given ? GIVEN_COLUMNS : 0) |
                               (head->filters_given ? GIVEN_FILTERS : 0);
    rls_settings_to_bytes(&head->settings, settings);
    TRY(buf_put_u8(out, POLICY_VERSION));
    TRY(buf_put_u8(out, (uint8_t)given));
    for (size_t i = 0; i < RLS_SUBJECTS; i++) {
        TRY(buf_put_u16be(out, head->subjects[i]));
    }
    TRY(buf_put_u32be(out, head->settings_set));
    TRY(buf_put(out, span_array(settings)));
    return buf_put_u32be(out, head->settings.max_rows_per_owner);
}

static enum err put_entries(const struct rls_policy *policy, struct buf *out)
{
    TRY(buf_put_u8(out, (uint8_t)policy->column_count));
    for (size_t i = 0; i < policy->column_count; i++) {
        const struct rls_entry *entry = rls_column_entry(policy, i);
        TRY(buf_put_u8(out, (uint8_t)entry->text.len));
        TRY(buf_put(out, rls_piece_of(policy, entry->text)));
        TRY(put_rule(policy, &entry->first, out));
        TRY(put_rule(policy, &entry->second, out));
    }
    TRY(buf_put_u8(out, (uint8_t)policy->filter_count));
    for (size_t i = 0; i < policy->filter_count; i++) {
        const struct rls_entry *entry = rls_filter_entry(policy, i);
        TRY(put_rule(policy, &entry->first, out));
        TRY(put_text32(out, rls_piece_of(policy, entry->text)));
    }
    return ERR_OK;
}

enum err rls_policy_encode(const struct rls_policy *policy, struct buf *out)
{
    TRY(put_head(&policy->head, out));
    for (size_t op = 0; op < RLS_OPS; op++) {
        TRY(put_rule(policy, &policy->ops[op], out));
    }
    TRY(put_entries(policy, out));
    return put_text32(out, rls_piece_of(policy, policy->tests));
}

/* --- reading; ERR_MALFORMED throughout --- */

static enum err get_text16(struct reader *reader, struct span *out_text)
{
    uint16_t len;
    TRY(reader_get_u16be(reader, &len));
    TRY(reader_get(reader, len, out_text));
    return ERR_OK;
}

static enum err get_text32(struct reader *reader, struct span *out_text)
{
    uint32_t len;
    TRY(reader_get_u32be(reader, &len));
    TRY(reader_get(reader, len, out_text));
    return ERR_OK;
}

/* The text of a rule; the program is made anew and compared in the end. */
static enum err get_rule(struct reader *reader, struct span *out_text)
{
    struct span text;
    struct span program;
    TRY(get_text16(reader, &text));
    TRY(get_text16(reader, &program));
    *out_text = text.len == 0 ? SPAN_NONE : text;
    return ERR_OK;
}

/* A subject's word holds three values a right, and rights only beside SUBJECT_PRESENT of a configured policy. */
static bool subject_valid(uint32_t word, bool configured)
{
    bool valid = configured && (word & SUBJECT_PRESENT) != 0;
    uint32_t rights = word & ~SUBJECT_PRESENT;
    for (unsigned int op = 0; op < RLS_OPS; op++) {
        valid = valid && (rights & 3u) <= RLS_YES;
        rights >>= 2;
    }
    return word == 0 || (valid && rights == 0);
}

static enum err get_settings(struct reader *reader, struct rls_head *head)
{
    struct span bytes;
    uint32_t max_rows;
    TRY(reader_get_u32be(reader, &head->settings_set));
    TRY(reader_get(reader, RLS_SETTING_BYTES, &bytes));
    TRY(reader_get_u32be(reader, &max_rows));
    ENSURE(head->settings_set < (RLS_SET_MAX_ROWS_PER_OWNER << 1), ERR_MALFORMED, "unknown setting");
    head->settings = rls_settings_from_bytes(bytes.data, max_rows);
    /* A flag is on or off whatever its byte is; one that is neither 0 nor 1 would not be stored as itself. */
    ENSURE(head->settings.row_filter_scope <= RLS_FILTER_ALL && head->settings.fields <= RLS_FIELDS_ALLOW,
           ERR_MALFORMED, "setting has an unknown value");
    return ERR_OK;
}

static enum err get_head(struct reader *reader, struct rls_head *head)
{
    uint8_t given;
    TRY(reader_get_u8(reader, &given));
    ENSURE(given <= GIVEN_ALL, ERR_MALFORMED, "a member that does not exist");
    head->configured = (given & GIVEN_PERMISSIONS) != 0;
    head->expressions = (given & GIVEN_EXPRESSIONS) != 0;
    head->columns_given = (given & GIVEN_COLUMNS) != 0;
    head->filters_given = (given & GIVEN_FILTERS) != 0;
    for (size_t i = 0; i < RLS_SUBJECTS; i++) {
        TRY(reader_get_u16be(reader, &head->subjects[i]));
        ENSURE(subject_valid(head->subjects[i], head->configured), ERR_MALFORMED, "rights are damaged");
    }
    return get_settings(reader, head);
}

/* given: the policy has the member that they belong to. */
static enum err get_count(struct reader *reader, size_t most, bool given, size_t *out_count)
{
    uint8_t count;
    TRY(reader_get_u8(reader, &count));
    ENSURE(count <= most, ERR_MALFORMED, "more than there may be");
    ENSURE(count == 0 || given, ERR_MALFORMED, "some, of no member");
    *out_count = count;
    return ERR_OK;
}

static enum err get_columns(struct reader *reader, struct rls_draft *draft)
{
    TRY(get_count(reader, RLS_COLUMNS_MAX, draft->head.columns_given, &draft->column_count));
    for (size_t i = 0; i < draft->column_count; i++) {
        struct rls_draft_column *column = &draft->columns[i];
        uint8_t len;
        TRY(reader_get_u8(reader, &len));
        TRY(reader_get(reader, len, &column->name));
        ENSURE(rls_field_name_valid(column->name), ERR_MALFORMED, "a rule for no column");
        ENSURE(i == 0 || span_compare(draft->columns[i - 1].name, column->name) < 0, ERR_MALFORMED,
               "column rules are not in order");
        TRY(get_rule(reader, &column->read));
        TRY(get_rule(reader, &column->write));
    }
    return ERR_OK;
}

static enum err get_filters(struct reader *reader, struct rls_draft *draft)
{
    TRY(get_count(reader, RLS_FILTERS_MAX, draft->head.filters_given, &draft->filter_count));
    for (size_t i = 0; i < draft->filter_count; i++) {
        TRY(get_rule(reader, &draft->filters[i].source));
        TRY(get_text32(reader, &draft->filters[i].text));
    }
    return ERR_OK;
}

static enum err get_policy(struct reader *reader, struct rls_draft *draft)
{
    bool any = false;
    TRY(get_head(reader, &draft->head));
    for (size_t op = 0; op < RLS_OPS; op++) {
        TRY(get_rule(reader, &draft->ops[op]));
        any = any || draft->ops[op].data != NULL;
    }
    ENSURE(any == draft->head.expressions, ERR_MALFORMED, "expressions and no member, or the reverse");
    TRY(get_columns(reader, draft));
    TRY(get_filters(reader, draft));
    TRY(get_text32(reader, &draft->tests));
    return ERR_OK;
}

/* Would the policy be stored as these bytes? */
static enum err compare(const struct rls_policy *policy, struct span bytes)
{
    SCOPED_BUF struct buf *again = NULL;
    TRY(buf_new(RLS_POLICY_BYTES, &again));
    TRY(rls_policy_encode(policy, again));
    ENSURE(span_equal(buf_all(again), bytes), ERR_DAMAGED, "a policy is not stored as itself");
    return ERR_OK;
}

enum err rls_policy_decode(struct span bytes, struct rls_policy **out_policy)
{
    SCOPED_RLS_DRAFT struct rls_draft *draft = NULL;
    SCOPED_RLS_POLICY struct rls_policy *policy = NULL;
    struct reader reader = reader_of(bytes);
    struct rls_problem problem;
    uint8_t version;
    ENSURE(reader_get_u8(&reader, &version) == ERR_OK, ERR_DAMAGED, "empty policy");
    ENSURE(version == POLICY_VERSION, ERR_VERSION, "policy of another version");
    TRY(rls_draft_new(&draft));
    ENSURE(get_policy(&reader, draft) == ERR_OK, ERR_DAMAGED, "policy is damaged");
    const enum err err = rls_draft_publish(draft, &policy, &problem);
    ENSURE(err != ERR_MALFORMED, ERR_DAMAGED, "a stored policy does not compile");
    TRY(err);
    TRY(compare(policy, bytes));
    *out_policy = TAKE(policy);
    return ERR_OK;
}
