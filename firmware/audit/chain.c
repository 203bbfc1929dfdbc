/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seq stands at the front and the two hashes at the end, at places that do not depend on what lies between: no text that
 * somebody chose can be taken for one of them. */
#include "firmware/audit/chain.h"

#include "crypto/ct.h"
#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "net/json_out.h"

#define HASH_TEXT HEX_BYTES(SHA256_BYTES)

static const char seq_begins[] = "{\"seq\":";
static const char seq_ends[] = ",\"at\":";
static const char previous_begins[] = ",\"prevHash\":\"";
static const char hash_begins[] = "\",\"hash\":\"";
static const char ends[] = "\"}";

#define LENGTH(text) (sizeof(text) - 1)

/* From the front of ,"prevHash" to the end of the record. */
#define TAIL_BYTES (LENGTH(previous_begins) + HASH_TEXT + LENGTH(hash_begins) + HASH_TEXT + LENGTH(ends))

/* What of it is not hashed: from ,"hash" on. */
#define HASHED_NOT (LENGTH(hash_begins) - 1 + HASH_TEXT + LENGTH(ends))

/* Without its first bytes; there are so many. */
static struct span after(struct span text, size_t count)
{
    return span_of(text.data + count, text.len - count);
}

/* --- writing --- */

static void put_text(struct json_out *out, struct span name, struct span text, size_t most)
{
    json_out_name(out, name);
    if (text.len == 0) {
        json_out_null(out);
    } else { /* what is no UTF-8 is written as if each such byte were a character */
        json_out_text(out, span_is_utf8(text) ? span_cut(text, most) : span_of(text.data, num_min(text.len, most)));
    }
}

static void put_record(struct json_out *out, const struct audit_record *record, uint64_t seq)
{
    json_out_object(out);
    json_out_member_int(out, span_lit("seq"), (int64_t)seq);
    json_out_member_time(out, span_lit("at"), record->at);
    json_out_name(out, span_lit("actor"));
    json_out_object(out);
    put_text(out, span_lit("type"), record->actor_type, AUDIT_NAME_MAX);
    put_text(out, span_lit("id"), record->actor_id, AUDIT_NAME_MAX);
    json_out_object_end(out);
    put_text(out, span_lit("action"), record->action, AUDIT_NAME_MAX);
    put_text(out, span_lit("resource"), record->resource, AUDIT_NAME_MAX);
    put_text(out, span_lit("projectId"), record->project_id, AUDIT_NAME_MAX);
    put_text(out, span_lit("environment"), record->environment, AUDIT_NAME_MAX);
    put_text(out, span_lit("ip"), record->ip, AUDIT_NAME_MAX);
    put_text(out, span_lit("userAgent"), record->user_agent, AUDIT_AGENT_MAX);
    put_text(out, span_lit("requestId"), record->request_id, AUDIT_NAME_MAX);
    put_text(out, span_lit("outcome"), record->outcome, AUDIT_NAME_MAX);
    put_text(out, span_lit("code"), record->code, AUDIT_NAME_MAX);
    json_out_member_null(out, span_lit("details")); /* contract 6 has it; nothing needs it yet */
    json_out_object_end(out);
}

static enum err put_hash(struct buf *out, const char *before, const uint8_t hash[SHA256_BYTES])
{
    char text[HASH_TEXT];

    hex_encode(span_of(hash, SHA256_BYTES), text);
    TRY(buf_put(out, span_str(before)));
    return buf_put(out, span_array(text));
}

enum err audit_write(const struct audit_record *record, const struct audit_head *head, struct buf *out,
                     struct audit_head *out_head)
{
    const size_t start = buf_len(out);
    struct audit_head made = {.seq = head->seq + 1};
    struct json_out json;

    ENSURE(made.seq <= AUDIT_SEQ_MAX, ERR_RANGE, "the audit log is at its last number");
    json_out_init(&json, out);
    put_record(&json, record, made.seq);
    TRY(json_out_finish(&json));
    buf_truncate(out, buf_len(out) - 1); /* its brace: two members are to come */
    TRY(put_hash(out, previous_begins, head->hash));
    TRY(buf_put(out, span_lit("\"")));
    sha256(after(buf_all(out), start), made.hash);
    TRY(put_hash(out, hash_begins + 1, made.hash));
    TRY(buf_put(out, span_str(ends)));
    *out_head = made;
    return ERR_OK;
}

/* --- reading --- */

static bool take(struct span *text, struct span expected)
{
    if (!span_starts_with(*text, expected)) {
        return false;
    }
    *text = after(*text, expected.len);
    return true;
}

static enum err read_seq(struct span text, uint64_t *out_seq)
{
    uint64_t seq = 0;

    if (!take(&text, span_str(seq_begins))) {
        return ERR_MALFORMED;
    }
    const struct span digits = span_of(text.data, span_find(text, ','));
    if (digits.len == 0 || digits.data[0] == '0' || span_to_u64(digits, AUDIT_SEQ_MAX, &seq) != ERR_OK) {
        return ERR_MALFORMED;
    }
    text = after(text, digits.len);
    *out_seq = seq;
    return take(&text, span_str(seq_ends)) ? ERR_OK : ERR_MALFORMED;
}

/* In lower case, as it is written: one record has one form. */
static enum err read_hash(struct span *text, uint8_t out_hash[SHA256_BYTES])
{
    char again[HASH_TEXT];

    if (text->len < HASH_TEXT || hex_decode(span_of(text->data, HASH_TEXT), out_hash, SHA256_BYTES) != ERR_OK) {
        return ERR_MALFORMED;
    }
    hex_encode(span_of(out_hash, SHA256_BYTES), again);
    return take(text, span_array(again)) ? ERR_OK : ERR_MALFORMED;
}

enum err audit_read(struct span text, struct audit_head *out_before, struct audit_head *out_head)
{
    struct audit_head before = {.seq = 0};
    struct audit_head head = {.seq = 0};
    uint8_t hash[SHA256_BYTES];

    if (text.len < TAIL_BYTES || text.len > AUDIT_TEXT_MAX || read_seq(text, &head.seq) != ERR_OK) {
        return ERR_MALFORMED;
    }
    struct span tail = after(text, text.len - TAIL_BYTES);
    if (!take(&tail, span_str(previous_begins)) || read_hash(&tail, before.hash) != ERR_OK ||
        !take(&tail, span_str(hash_begins)) || read_hash(&tail, head.hash) != ERR_OK || !take(&tail, span_str(ends))) {
        return ERR_MALFORMED;
    }
    before.seq = head.seq - 1;
    sha256(span_of(text.data, text.len - HASHED_NOT), hash);
    if (!ct_equal(span_array(hash), span_array(head.hash))) {
        return ERR_DAMAGED;
    }
    *out_before = before;
    *out_head = head;
    return ERR_OK;
}

bool audit_head_equal(const struct audit_head *a, const struct audit_head *b)
{
    return a->seq == b->seq && ct_equal(span_array(a->hash), span_array(b->hash));
}
