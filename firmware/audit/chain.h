/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The form of the audit log: one line of JSON a record, each bound to the one before by its hash.
 *
 *   {"seq":7,"at":"...","actor":{...}, ... ,"prevHash":"<hash of record 6>","hash":"<hash of this one>"}
 *
 * hash is the SHA-256 of all bytes of the record before `,"hash":`, in which prevHash stands last: so a record that is
 * changed, missing or in another place breaks the chain at that point, and who has the lines needs nothing but SHA-256 to
 * find it. A record is kept, answered and exported as the same bytes. What the chain cannot tell is that its end was cut
 * off; for that somebody has to know the head. Pure. Spec: contract 6 (GET /audit), 9.4. */
#ifndef FIRMWARE_AUDIT_CHAIN_H
#define FIRMWARE_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/base/time.h"

#define AUDIT_AGENT_MAX 256 /* bytes of a User-Agent; more is cut off */
#define AUDIT_NAME_MAX  128 /* bytes of any other text; more is cut off */
#define AUDIT_NAMES     11  /* other texts */
/* Bytes of a record: of each text every byte becomes six at worst. */
#define AUDIT_TEXT_MAX  (1024 + 6 * (AUDIT_NAMES * AUDIT_NAME_MAX + AUDIT_AGENT_MAX))
#define AUDIT_SEQ_MAX   (UINT64_C(1) << 53) /* what JSON says exactly */

/* The newest record: where the chain goes on. seq 0 and zeros: there is none yet. */
struct audit_head {
    uint64_t seq;
    uint8_t hash[SHA256_BYTES];
};

/* What is recorded. Texts need not be UTF-8 nor short: they are made so. Empty ones are null. Never a password, token, key or
 * the content of a row. */
struct audit_record {
    struct wall_time at;
    struct span actor_type; /* operator, user, key, setup, nobody */
    struct span actor_id;
    struct span action;   /* table.create */
    struct span resource; /* table/<id> */
    struct span project_id, environment;
    struct span ip, user_agent, request_id;
    struct span outcome; /* success, denied */
    struct span code;    /* of the answer that denied it: contract 1.6 */
};

/* Appends the record that follows `head` to out, without a line end. out_head may be head.
 * ERR_RANGE: the buffer's, or AUDIT_SEQ_MAX records were written; ERR_NO_MEMORY. */
enum err audit_write(const struct audit_record *record, const struct audit_head *head, struct buf *out,
                     struct audit_head *out_head) MUST_USE;

/* Reads a record and holds it against its own hash. out_before is what it says it follows: a seq of one less, and that
 * one's hash. ERR_MALFORMED: it is no record; ERR_DAMAGED: its hash is of something else. */
enum err audit_read(struct span text, struct audit_head *out_before, struct audit_head *out_head) MUST_USE;

/* Do they name the same record? */
bool audit_head_equal(const struct audit_head *a, const struct audit_head *b);

#endif
