/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In this order: split, header, key, signature, and only then the claims: nothing of a payload is parsed that the issuer
 * has not signed. */
#include "firmware/auth/id_token.h"

#include <stdbool.h>
#include <string.h>

#include "crypto/hash.h"
#include "firmware/auth/base64url.h"
#include "hal/base/fault.h"
#include "hal/base/json_value.h"
#include "net/json.h"

#define AUDIENCES_MAX   16
#define NUMBER_BYTES    32 /* of a coordinate of P-256 */
#define EXPONENT_BYTES  8
#define SIGNATURE_BYTES RSA_MODULUS_MAX

/* --- members --- */

static struct span text_of(const struct json_value *object, struct span name)
{
    const struct json_value *value = json_find(object, name);

    return value != NULL && value->type == JSON_STRING ? value->as.text : SPAN_NONE;
}

/* Is the member that text, or not there at all? */
static bool is_or_absent(const struct json_value *object, struct span name, struct span text)
{
    const struct json_value *value = json_find(object, name);

    return value == NULL || (value->type == JSON_STRING && span_equal(value->as.text, text));
}

static bool has_text(const struct json_value *array, struct span text)
{
    for (size_t i = 0; i < array->as.array.count; i++) {
        const struct json_value *item = &array->as.array.items[i];
        if (item->type == JSON_STRING && span_equal(item->as.text, text)) {
            return true;
        }
    }
    return false;
}

/* --- keys --- */

static enum err read_number(const struct json_value *jwk, struct span name, size_t most, uint8_t *out_bytes,
                            size_t *out_len)
{
    const struct span text = text_of(jwk, name);

    ENSURE(text.len != 0, ERR_MALFORMED, "a key without one of its numbers");
    return base64url_decode(text, most, out_bytes, out_len);
}

static enum err read_rsa(const struct json_value *jwk, struct id_key *key)
{
    uint8_t modulus[RSA_MODULUS_MAX];
    uint8_t exponent[EXPONENT_BYTES];
    size_t modulus_len = 0;
    size_t exponent_len = 0;

    TRY(read_number(jwk, span_lit("n"), sizeof modulus, modulus, &modulus_len));
    TRY(read_number(jwk, span_lit("e"), sizeof exponent, exponent, &exponent_len));
    TRY(rsa_public_read(span_of(modulus, modulus_len), span_of(exponent, exponent_len), &key->rsa));
    key->type = ID_KEY_RSA;
    return ERR_OK;
}

/* Whether the point lies on the curve is asked when it verifies. */
static enum err read_p256(const struct json_value *jwk, struct id_key *key)
{
    size_t x = 0;
    size_t y = 0;

    ENSURE(span_equal(text_of(jwk, span_lit("crv")), span_lit("P-256")), ERR_MALFORMED, "a key of another curve");
    key->point[0] = 0x04;
    TRY(read_number(jwk, span_lit("x"), NUMBER_BYTES, key->point + 1, &x));
    TRY(read_number(jwk, span_lit("y"), NUMBER_BYTES, key->point + 1 + NUMBER_BYTES, &y));
    ENSURE(x == NUMBER_BYTES && y == NUMBER_BYTES, ERR_MALFORMED, "a coordinate of another length");
    key->type = ID_KEY_P256;
    return ERR_OK;
}

/* For what the issuer says the key is. A key whose private half can be fetched by anybody is nobody's. */
static bool is_to_verify(const struct json_value *jwk, struct span algorithm)
{
    const struct json_value *operations = json_find(jwk, span_lit("key_ops"));

    return is_or_absent(jwk, span_lit("use"), span_lit("sig")) && is_or_absent(jwk, span_lit("alg"), algorithm) &&
           json_find(jwk, span_lit("d")) == NULL &&
           (operations == NULL || (operations->type == JSON_ARRAY && has_text(operations, span_lit("verify"))));
}

static enum err read_key(const struct json_value *jwk, struct id_key *out_key)
{
    const struct span type = text_of(jwk, span_lit("kty"));
    const bool rsa = span_equal(type, span_lit("RSA"));
    const struct json_value *name = json_find(jwk, span_lit("kid"));
    struct id_key key = {.name_len = 0};

    ENSURE(rsa || span_equal(type, span_lit("EC")), ERR_UNSUPPORTED, "a key of another type");
    ENSURE(is_to_verify(jwk, rsa ? span_lit("RS256") : span_lit("ES256")), ERR_UNSUPPORTED, "a key for something else");
    if (name != NULL) {
        ENSURE(name->type == JSON_STRING && name->as.text.len <= sizeof key.name, ERR_MALFORMED, "a kid that is none");
        memcpy(key.name, name->as.text.data, name->as.text.len);
        key.name_len = name->as.text.len;
    }
    TRY(rsa ? read_rsa(jwk, &key) : read_p256(jwk, &key));
    *out_key = key;
    return ERR_OK;
}

enum err id_keys_read(struct span json, struct arena *arena, struct id_keys *out_keys)
{
    const struct json_value *root = NULL;
    void *memory = NULL;

    const enum err err = json_parse(json, arena, &root);
    ENSURE(err != ERR_RANGE, ERR_MALFORMED, "a key set that nests too deep");
    TRY(err);
    const struct json_value *list = json_find(root, span_lit("keys"));
    ENSURE(list != NULL && list->type == JSON_ARRAY, ERR_MALFORMED, "no key set");
    TRY(arena_alloc(arena, sizeof(struct id_keys), &memory));
    struct id_keys *keys = memory;
    for (size_t i = 0; i < list->as.array.count && i < ID_KEYS_READ && keys->count < ID_KEYS_MAX; i++) {
        if (read_key(&list->as.array.items[i], &keys->keys[keys->count]) == ERR_OK) {
            keys->count++;
        }
        fault_clear(); /* others are passed over: RFC 7517 section 5 */
    }
    ENSURE(keys->count != 0, ERR_NOT_FOUND, "a key set without a key for us");
    *out_keys = *keys;
    return ERR_OK;
}

/* --- the parts of a token --- */

struct parts {
    struct span header, payload, signature;
    struct span signed_text; /* header, dot, payload */
};

static enum err split(struct span token, struct parts *out)
{
    ENSURE(token.len <= ID_TOKEN_MAX, ERR_MALFORMED, "a token that is too long");
    const size_t first = span_find(token, '.');
    ENSURE(first < token.len, ERR_MALFORMED, "a token without dots");
    const struct span rest = span_of(token.data + first + 1, token.len - first - 1);
    const size_t second = span_find(rest, '.');
    ENSURE(second < rest.len, ERR_MALFORMED, "a token with one dot");
    const struct span last = span_of(rest.data + second + 1, rest.len - second - 1);
    /* A third dot is no base64url. */
    *out = (struct parts){.header = span_of(token.data, first),
                          .payload = span_of(rest.data, second),
                          .signature = last,
                          .signed_text = span_of(token.data, first + 1 + second)};
    return ERR_OK;
}

/* A part that is a JSON object. */
static enum err read_object(struct span part, size_t most, struct arena *arena, const struct json_value **out_object)
{
    void *memory = NULL;
    size_t len = 0;

    ENSURE(part.len <= BASE64URL_CHARS(most), ERR_MALFORMED, "a part of a token that is too long");
    TRY(arena_alloc(arena, part.len + 1, &memory));
    TRY(base64url_decode(part, most, memory, &len));
    const enum err err = json_parse(span_of(memory, len), arena, out_object);
    ENSURE(err != ERR_RANGE, ERR_MALFORMED, "a token that nests too deep");
    TRY(err);
    ENSURE((*out_object)->type == JSON_OBJECT, ERR_MALFORMED, "a part of a token that is no object");
    return ERR_OK;
}

/* --- header, key and signature --- */

struct header {
    enum id_key_type type;
    struct span key_name;
    bool names_key;
};

static enum err read_header(const struct json_value *json, struct header *out)
{
    const struct json_value *name = json_find(json, span_lit("kid"));
    const struct json_value *type = json_find(json, span_lit("typ"));
    const struct span algorithm = text_of(json, span_lit("alg"));
    const bool rsa = span_equal(algorithm, span_lit("RS256"));

    ENSURE(rsa || span_equal(algorithm, span_lit("ES256")), ERR_AUTH, "a token of another algorithm");
    ENSURE(json_find(json, span_lit("crit")) == NULL && json_find(json, span_lit("b64")) == NULL, ERR_AUTH,
           "a token with what has to be understood");
    /* An access token of the same issuer may look like an ID token but for its type: RFC 9068. */
    ENSURE(type == NULL || (type->type == JSON_STRING && span_equal_nocase(type->as.text, span_lit("JWT"))), ERR_AUTH,
           "a token of another type");
    ENSURE(name == NULL || name->type == JSON_STRING, ERR_AUTH, "a token with a kid that is none");
    *out = (struct header){rsa ? ID_KEY_RSA : ID_KEY_P256, name != NULL ? name->as.text : SPAN_NONE, name != NULL};
    return ERR_OK;
}

/* The key that the header names; without a name the only one of its type. */
static enum err find_key(const struct id_keys *keys, const struct header *header, const struct id_key **out_key)
{
    const struct id_key *found = NULL;
    size_t count = 0;

    for (size_t i = 0; i < keys->count; i++) {
        const struct id_key *key = &keys->keys[i];
        const bool named = span_equal(span_of(key->name, key->name_len), header->key_name);
        if (key->type == header->type && (named || !header->names_key)) {
            found = found == NULL ? key : found;
            count++;
        }
    }
    ENSURE(count != 0, ERR_NOT_FOUND, "a token of a key that the issuer has not told");
    ENSURE(count == 1 || header->names_key, ERR_AUTH, "a token that names none of several keys");
    *out_key = found;
    return ERR_OK;
}

static enum err check_signature(const struct parts *parts, const struct id_key *key)
{
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t digest[SHA256_BYTES];
    size_t len = 0;

    ENSURE(base64url_decode(parts->signature, sizeof signature, signature, &len) == ERR_OK, ERR_AUTH,
           "a signature that is no base64url");
    sha256(parts->signed_text, digest);
    if (key->type == ID_KEY_RSA) {
        return rsa_verify_sha256(&key->rsa, digest, span_of(signature, len));
    }
    ENSURE(len == SIGN_RAW_BYTES, ERR_AUTH, "a signature of another length");
    const enum err err = sign_verify_raw(key->point, span_array(digest), signature, SIGN_ANY_S);
    ENSURE(err != ERR_MALFORMED, ERR_AUTH, "a key that is no point of the curve");
    return err;
}

/* --- claims --- */

/* aud is one text or a list; where there are others, azp has to say that the token was made for us. */
static enum err check_audience(const struct json_value *json, struct span client_id)
{
    const struct json_value *audience = json_find(json, span_lit("aud"));
    const struct json_value *party = json_find(json, span_lit("azp"));

    ENSURE(audience != NULL, ERR_AUTH, "a token for nobody");
    const bool list = audience->type == JSON_ARRAY;
    const bool ours = list ? audience->as.array.count <= AUDIENCES_MAX && has_text(audience, client_id)
                           : audience->type == JSON_STRING && span_equal(audience->as.text, client_id);
    ENSURE(ours, ERR_AUTH, "a token for somebody else");
    ENSURE(party != NULL || !list || audience->as.array.count == 1, ERR_AUTH, "a token for several, made for nobody");
    ENSURE(party == NULL || (party->type == JSON_STRING && span_equal(party->as.text, client_id)), ERR_AUTH,
           "a token made for somebody else");
    return ERR_OK;
}

static bool read_time(const struct json_value *json, struct span name, int64_t *out_s)
{
    const struct json_value *value = json_find(json, name);

    if (value == NULL || value->type != JSON_INT || value->as.integer < 0 || value->as.integer > INT64_MAX / 2) {
        return false;
    }
    *out_s = value->as.integer;
    return true;
}

static enum err check_times(const struct json_value *json, int64_t now_s)
{
    int64_t issued_s = 0;
    int64_t expires_s = 0;
    int64_t not_before_s = 0;

    ENSURE(read_time(json, span_lit("iat"), &issued_s) && read_time(json, span_lit("exp"), &expires_s), ERR_AUTH,
           "a token without its times");
    ENSURE(json_find(json, span_lit("nbf")) == NULL || read_time(json, span_lit("nbf"), &not_before_s), ERR_AUTH,
           "a token with a time that is none");
    ENSURE(now_s < expires_s + ID_SKEW_S, ERR_EXPIRED, "a token that has expired");
    ENSURE(issued_s <= now_s + ID_SKEW_S && not_before_s <= now_s + ID_SKEW_S, ERR_EXPIRED, "a token of the future");
    ENSURE(now_s - issued_s <= ID_AGE_S, ERR_EXPIRED, "a token that is too old");
    return ERR_OK;
}

static void read_email(const struct json_value *json, struct account_email *out)
{
    const struct json_value *verified = json_find(json, span_lit("email_verified"));

    out->len = 0;
    if (verified != NULL && verified->type == JSON_BOOL && verified->as.boolean &&
        account_email_read(text_of(json, span_lit("email")), out) != ERR_OK) {
        fault_clear();
        out->len = 0;
    }
}

static enum err check_claims(const struct json_value *json, const struct id_expected *expected,
                             struct id_claims *out_claims)
{
    const struct span subject = text_of(json, span_lit("sub"));
    const struct span name = text_of(json, span_lit("name"));

    ENSURE(span_equal(text_of(json, span_lit("iss")), expected->issuer), ERR_AUTH, "a token of another issuer");
    TRY(check_audience(json, expected->client_id));
    TRY(check_times(json, expected->now_s));
    ENSURE(expected->nonce.len == 0 || span_equal(text_of(json, span_lit("nonce")), expected->nonce), ERR_AUTH,
           "a token of another nonce");
    ENSURE(subject.len != 0 && subject.len <= ID_SUBJECT_MAX, ERR_AUTH, "a token about nobody");
    read_email(json, &out_claims->email);
    out_claims->subject = subject;
    out_claims->name = name.len != 0 ? name : text_of(json, span_lit("preferred_username"));
    return ERR_OK;
}

enum err id_token_verify(struct span token, const struct id_keys *keys, const struct id_expected *expected,
                         struct arena *arena, struct id_claims *out_claims)
{
    const struct json_value *json = NULL;
    const struct id_key *key = NULL;
    struct id_claims claims = {.subject = SPAN_NONE};
    struct header header;
    struct parts parts;

    TRY(split(token, &parts));
    TRY(read_object(parts.header, ID_HEADER_MAX, arena, &json));
    TRY(read_header(json, &header));
    TRY(find_key(keys, &header, &key));
    TRY(check_signature(&parts, key));
    TRY(read_object(parts.payload, ID_TOKEN_MAX, arena, &json));
    TRY(check_claims(json, expected, &claims));
    *out_claims = claims;
    return ERR_OK;
}
