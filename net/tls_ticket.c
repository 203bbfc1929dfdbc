/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Session tickets. Every reactor seals with the same key, so a counted nonce would have to be shared and a random one
 * could repeat. Instead each ticket has its own AES-256-GCM key, HKDF-SHA256(ticket key, random iv of 16 bytes), used
 * once with the all-zero nonce. The tag stands in the first half of the ticket's mac field, the second half is zero.
 * Additional data is the key's name. Spec: RFC 5077 section 4 (the form is a recommendation). */
#include "net/tls_int.h"

#include <string.h>

#include "crypto/aead.h"
#include "crypto/ct.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define LABEL span_lit("rowlock tls ticket")

struct ticket_key {
    uint8_t name[TLS_TICKET_NAME_BYTES];
    struct secret *key; /* NULL: there is none */
};

struct ticket_keys {
    struct snapshot snapshot; /* first: the cell hands it back */
    struct ticket_key current;
    struct ticket_key previous;
};

struct tls_tickets {
    struct snapshot_cell *cell;
    size_t slot;
    struct snapshot *held;
    struct aead *aead; /* rekeyed for each ticket */
    struct random *random;
};

_Static_assert(TLS_TICKET_MAC_BYTES == 2 * AEAD_TAG_BYTES, "the tag is one half of the mac field");

static void keys_free(struct snapshot *snapshot)
{
    struct ticket_keys *const keys = (struct ticket_keys *)snapshot;

    secret_free(keys->current.key);
    secret_free(keys->previous.key);
    mem_free(keys);
}

static enum err copy_key(const struct tls_ticket_key *from, struct ticket_key *out_to)
{
    TRY(secret_new_copy(span_array(from->key), &out_to->key));
    memcpy(out_to->name, from->name, sizeof(out_to->name));
    return ERR_OK;
}

enum err tls_ticket_keys_new(const struct tls_ticket_key *current, const struct tls_ticket_key *previous,
                             struct snapshot **out_keys)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct ticket_keys), &memory));
    struct ticket_keys *const keys = memory;

    snapshot_init(&keys->snapshot, keys_free);
    enum err err = copy_key(current, &keys->current);

    if (err == ERR_OK && previous != NULL) {
        err = copy_key(previous, &keys->previous);
    }
    if (err != ERR_OK) {
        snapshot_unref(&keys->snapshot);
        FAIL(err, "no room for ticket keys", 0);
    }
    *out_keys = &keys->snapshot;
    return ERR_OK;
}

enum err tls_tickets_new(const struct tls_server_options *options, struct tls_tickets **out_tickets)
{
    void *memory = NULL;
    SCOPED_SECRET struct secret *blank = NULL;

    TRY(secret_new(AEAD_KEY_BYTES, &blank));
    TRY(mem_alloc(sizeof(struct tls_tickets), &memory));
    struct tls_tickets *const tickets = memory;

    tickets->cell = options->ticket_keys;
    tickets->slot = options->ticket_slot;
    enum err err = aead_new(options->slab, blank, &tickets->aead);

    err = err != ERR_OK ? err : random_new(SPAN_NONE, &tickets->random);
    if (err != ERR_OK) {
        tls_tickets_free(tickets);
        FAIL(err, "no room for tickets", 0);
    }
    *out_tickets = tickets;
    return ERR_OK;
}

void tls_tickets_free(struct tls_tickets *tickets)
{
    if (tickets == NULL) {
        return;
    }
    snapshot_unref(tickets->held);
    aead_free(tickets->aead);
    random_free(tickets->random);
    mem_free(tickets);
}

static const struct ticket_keys *keys_now(struct tls_tickets *tickets)
{
    if (tickets->cell != NULL) {
        tickets->held = snapshot_refresh(tickets->cell, tickets->slot, tickets->held);
    }
    return (const struct ticket_keys *)tickets->held;
}

bool tls_tickets_ready(struct tls_tickets *tickets)
{
    return keys_now(tickets) != NULL;
}

enum err tls_tickets_seal(struct tls_tickets *tickets, struct tls_ticket_parts *parts)
{
    static const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    const struct ticket_keys *const keys = keys_now(tickets);

    ENSURE(keys != NULL, ERR_NOT_FOUND, "no ticket keys");
    random_fill(tickets->random, parts->iv, TLS_TICKET_IV_BYTES);
    memcpy(parts->name, keys->current.name, TLS_TICKET_NAME_BYTES);
    aead_rekey_derived(tickets->aead, keys->current.key, span_of(parts->iv, TLS_TICKET_IV_BYTES), LABEL);
    memset(parts->mac, 0, TLS_TICKET_MAC_BYTES);
    return aead_seal(tickets->aead, nonce, span_of(parts->name, TLS_TICKET_NAME_BYTES),
                     span_of(parts->body, parts->body_bytes), parts->body, parts->mac);
}

static bool is_named(const struct ticket_key *key, const struct tls_ticket_parts *parts)
{
    return key->key != NULL && span_equal(span_array(key->name), span_of(parts->name, TLS_TICKET_NAME_BYTES));
}

enum err tls_tickets_open(struct tls_tickets *tickets, struct tls_ticket_parts *parts)
{
    static const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    const struct ticket_keys *const keys = keys_now(tickets);

    ENSURE(keys != NULL, ERR_STALE_KEY, "no ticket keys");
    const bool current = is_named(&keys->current, parts);

    ENSURE(current || is_named(&keys->previous, parts), ERR_STALE_KEY, "a ticket of a key that is gone");
    ENSURE(ct_is_zero(span_of(parts->mac + AEAD_TAG_BYTES, AEAD_TAG_BYTES)), ERR_AUTH, "not a ticket of ours");
    aead_rekey_derived(tickets->aead, current ? keys->current.key : keys->previous.key,
                       span_of(parts->iv, TLS_TICKET_IV_BYTES), LABEL);
    return aead_open(tickets->aead, nonce, span_of(parts->name, TLS_TICKET_NAME_BYTES),
                     span_of(parts->body, parts->body_bytes), parts->mac, parts->body);
}
