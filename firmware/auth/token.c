/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing and reading are each one run down the form in token.h. */
#include "firmware/auth/token.h"

#include <string.h>

#include "firmware/auth/key.h"
#include "hal/base/fault.h"

#define TOKEN_PARTS 3

/* --- keys --- */

static size_t put(char *text, size_t at, struct span part)
{
    memcpy(text + at, part.data, part.len);
    return at + part.len;
}

/* SHA-256 of the key as JSON with its members in order: RFC 7638 section 3. */
static void thumbprint(const uint8_t public_key[SIGN_PUBLIC_BYTES], char out_kid[AUTH_TOKEN_KID_BYTES])
{
    const struct span parts[] = {span_lit("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\""), span_lit("\",\"y\":\""),
                                 span_lit("\"}")};
    char number[BASE64URL_CHARS(32)];
    char text[160];
    uint8_t digest[SHA256_BYTES];
    size_t at = put(text, 0, parts[0]);

    base64url_encode(span_of(public_key + 1, 32), number);
    at = put(text, put(text, at, span_array(number)), parts[1]);
    base64url_encode(span_of(public_key + 33, 32), number);
    at = put(text, put(text, at, span_array(number)), parts[2]);
    sha256(span_of(text, at), digest);
    base64url_encode(span_array(digest), out_kid);
}

void auth_token_key_init(const uint8_t public_key[SIGN_PUBLIC_BYTES], struct auth_token_key *out_key)
{
    char json[AUTH_TOKEN_HEADER_JSON];

    memcpy(out_key->public_key, public_key, SIGN_PUBLIC_BYTES);
    thumbprint(public_key, out_key->kid);
    size_t at = put(json, 0, span_lit("{\"alg\":\"ES256\",\"kid\":\""));
    at = put(json, at, span_array(out_key->kid));
    (void)put(json, at, span_lit("\",\"typ\":\"JWT\"}")); /* to its end */
    base64url_encode(span_array(json), out_key->header);
}

/* --- writing --- */

static bool is_environment_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-')) {
            return false;
        }
    }
    return text.len > 0 && text.len <= AUTH_ENVIRONMENT_MAX;
}

static bool is_token_id(struct span text)
{
    uint8_t bytes[AUTH_TOKEN_ID_BYTES];
    size_t len = 0;

    const bool fits = base64url_decode(text, sizeof bytes, bytes, &len) == ERR_OK && len == sizeof bytes;
    fault_clear();
    return fits;
}

static bool claims_fit(const struct auth_claims *claims)
{
    return auth_uuid_is_well_formed(claims->user) && auth_uuid_is_well_formed(claims->session) &&
           auth_uuid_is_well_formed(claims->project) && is_environment_name(claims->environment) &&
           claims->issued_s >= 0 && claims->expires_s >= 0 && is_token_id(claims->id);
}

/* The claims fit, so they are all shorter than a token may be. */
static struct span put_payload(const struct auth_claims *claims, struct auth_token_bytes *out)
{
    char issued[SPAN_U64_TEXT_MAX];
    char expires[SPAN_U64_TEXT_MAX];
    const struct span parts[] = {
        span_lit("{\"iss\":\"" AUTH_TOKEN_ISSUER "\",\"aud\":\""),
        claims->project,
        span_lit("\",\"sub\":\""),
        claims->user,
        span_lit("\",\"sid\":\""),
        claims->session,
        span_lit("\",\"pid\":\""),
        claims->project,
        span_lit("\",\"env\":\""),
        claims->environment,
        span_lit("\",\"typ\":\""),
        claims->type == AUTH_TOKEN_REFRESH ? span_lit("refresh") : span_lit("access"),
        span_lit("\",\"iat\":"),
        span_from_u64((uint64_t)claims->issued_s, issued),
        span_lit(",\"exp\":"),
        span_from_u64((uint64_t)claims->expires_s, expires),
        span_lit(",\"jti\":\""),
        claims->id,
        span_lit("\"}"),
    };

    size_t at = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        INVARIANT(parts[i].len <= sizeof out->bytes - at);
        memcpy(out->bytes + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return span_of(out->bytes, at);
}

static size_t put_encoded(char *text, size_t at, struct span bytes)
{
    base64url_encode(bytes, text + at);
    return at + BASE64URL_CHARS(bytes.len);
}

enum err auth_token_issue(const struct auth_token_key *key, struct signer *signer, const struct auth_claims *claims,
                          struct buf *out_token)
{
    struct auth_token_bytes bytes;
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    uint8_t *place = NULL;

    ENSURE(claims_fit(claims), ERR_MALFORMED, "claims that are none of ours");
    const struct span payload = put_payload(claims, &bytes);
    const size_t all = sizeof key->header + 1 + BASE64URL_CHARS(payload.len) + 1 + AUTH_TOKEN_SIGNED_BYTES;
    TRY(buf_reserve(out_token, all, &place));
    char *const text = (char *)place;
    size_t at = put(text, 0, span_array(key->header));
    at = put(text, at, span_lit("."));
    at = put_encoded(text, at, payload);
    sha256(span_of(place, at), digest);
    TRY(signer_sign_raw(signer, span_array(digest), signature));
    at = put(text, at, span_lit("."));
    at = put_encoded(text, at, span_array(signature));
    INVARIANT(at == all);
    buf_commit(out_token, all);
    return ERR_OK;
}

/* --- reading --- */

/* 1 for a character of base64url. Each request with a token asks for some 300 of them. */
/* clang-format off */
static const uint8_t is_base64url[UINT8_MAX + 1] = {
    ['-'] = 1, ['_'] = 1,
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
    ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
    ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
    ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
    ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
    ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};
/* clang-format on */

/* The next part of a token: up to a dot, or all that is left. */
static enum err take_part(struct span *rest, bool *out_dot, struct span *out_part)
{
    const size_t len = span_find(*rest, '.');
    uint8_t good = 1;

    for (size_t i = 0; i < len; i++) {
        good &= is_base64url[rest->data[i]];
    }
    ENSURE(good == 1, ERR_MALFORMED, "a token with other characters");
    *out_dot = len < rest->len;
    *out_part = span_of(rest->data, len);
    *rest = *out_dot ? span_of(rest->data + len + 1, rest->len - len - 1) : SPAN_NONE;
    return ERR_OK;
}

enum err auth_token_split(struct span token, struct auth_token_parts *out_parts)
{
    struct span parts[TOKEN_PARTS];
    struct span rest = token;

    ENSURE(token.len <= AUTH_TOKEN_MAX, ERR_MALFORMED, "longer than any token");
    for (size_t i = 0; i < TOKEN_PARTS; i++) {
        bool dot = false;
        TRY(take_part(&rest, &dot, &parts[i]));
        ENSURE(dot == (i < TOKEN_PARTS - 1), ERR_MALFORMED, "a token of other parts");
    }
    ENSURE(parts[0].len > 0 && parts[1].len > 0, ERR_MALFORMED, "a token of other parts");
    *out_parts = (struct auth_token_parts){
        .header = parts[0],
        .payload = parts[1],
        .signature = parts[2],
        .signed_text = span_of(token.data, parts[0].len + 1 + parts[1].len),
    };
    return ERR_OK;
}

bool auth_token_cut(struct span token, struct auth_token_parts *out_parts)
{
    const size_t fixed = AUTH_TOKEN_HEADER_BYTES + 1 + 1 + AUTH_TOKEN_SIGNED_BYTES;

    if (token.len <= fixed || token.len > AUTH_TOKEN_MAX) {
        return false;
    }
    const size_t signed_bytes = token.len - 1 - AUTH_TOKEN_SIGNED_BYTES;
    if (token.data[AUTH_TOKEN_HEADER_BYTES] != '.' || token.data[signed_bytes] != '.') {
        return false;
    }
    *out_parts = (struct auth_token_parts){
        .header = span_of(token.data, AUTH_TOKEN_HEADER_BYTES),
        .payload = span_of(token.data + AUTH_TOKEN_HEADER_BYTES + 1, token.len - fixed),
        .signature = span_of(token.data + signed_bytes + 1, AUTH_TOKEN_SIGNED_BYTES),
        .signed_text = span_of(token.data, signed_bytes),
    };
    return true;
}

enum err auth_token_verify(const struct auth_token_parts *parts, const struct auth_token_key *key)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t signature[SIGN_RAW_BYTES];
    size_t len = 0;

    const enum err err = base64url_decode(parts->signature, sizeof signature, signature, &len);
    ENSURE(err == ERR_OK && len == sizeof signature, ERR_AUTH, "a signature of another form");
    sha256(parts->signed_text, digest);
    TRY(sign_verify_raw(key->public_key, span_array(digest), signature, SIGN_LOW_S));
    return ERR_OK;
}

/* Exactly these bytes come next. */
static enum err expect(struct reader *reader, struct span text)
{
    struct span next = SPAN_NONE;

    TRY(reader_get(reader, text.len, &next));
    ENSURE(span_equal(next, text), ERR_MALFORMED, "a payload of another form");
    return ERR_OK;
}

/* What comes next up to a byte, and that byte. */
static enum err until(struct reader *reader, uint8_t end, struct span *out_text)
{
    const size_t len = span_find(reader->rest, end);
    struct span byte = SPAN_NONE;

    TRY(reader_get(reader, len, out_text));
    TRY(reader_get(reader, 1, &byte));
    return ERR_OK;
}

static enum err take_text(struct reader *reader, struct span before, struct span *out_text)
{
    TRY(expect(reader, before));
    return until(reader, '"', out_text);
}

static enum err take_number(struct reader *reader, struct span before, int64_t *out_number)
{
    struct span digits = SPAN_NONE;
    uint64_t number = 0;

    TRY(expect(reader, before));
    TRY(until(reader, ',', &digits));
    ENSURE(span_to_u64(digits, (uint64_t)INT64_MAX, &number) == ERR_OK, ERR_MALFORMED, "a time that is no number");
    ENSURE(digits.len == 1 || digits.data[0] != '0', ERR_MALFORMED, "a number with a zero in front");
    *out_number = (int64_t)number;
    return ERR_OK;
}

static enum err take_type(struct reader *reader, enum auth_token_type *out_type)
{
    struct span type = SPAN_NONE;

    TRY(take_text(reader, span_lit(",\"typ\":\""), &type));
    const bool refresh = span_equal(type, span_lit("refresh"));
    ENSURE(refresh || span_equal(type, span_lit("access")), ERR_MALFORMED, "a token of another type");
    *out_type = refresh ? AUTH_TOKEN_REFRESH : AUTH_TOKEN_ACCESS;
    return ERR_OK;
}

static enum err read_claims(struct reader *reader, struct auth_claims *out)
{
    struct span audience = SPAN_NONE;

    TRY(take_text(reader, span_lit("{\"iss\":\"" AUTH_TOKEN_ISSUER "\",\"aud\":\""), &audience));
    TRY(take_text(reader, span_lit(",\"sub\":\""), &out->user));
    TRY(take_text(reader, span_lit(",\"sid\":\""), &out->session));
    TRY(take_text(reader, span_lit(",\"pid\":\""), &out->project));
    TRY(take_text(reader, span_lit(",\"env\":\""), &out->environment));
    TRY(take_type(reader, &out->type));
    TRY(take_number(reader, span_lit(",\"iat\":"), &out->issued_s));
    TRY(take_number(reader, span_lit("\"exp\":"), &out->expires_s));
    TRY(take_text(reader, span_lit("\"jti\":\""), &out->id));
    TRY(expect(reader, span_lit("}")));
    ENSURE(reader->rest.len == 0, ERR_MALFORMED, "bytes behind a payload");
    ENSURE(claims_fit(out), ERR_MALFORMED, "claims that are none of ours");
    ENSURE(span_equal(audience, out->project), ERR_MALFORMED, "a token for somebody else");
    return ERR_OK;
}

enum err auth_token_read(const struct auth_token_parts *parts, struct auth_token_bytes *out_bytes,
                         struct auth_claims *out_claims)
{
    struct auth_claims claims = {.type = AUTH_TOKEN_ACCESS};
    size_t len = 0;

    ENSURE(base64url_decode(parts->payload, sizeof out_bytes->bytes, out_bytes->bytes, &len) == ERR_OK, ERR_MALFORMED,
           "a payload that is no base64url");
    struct reader reader = reader_of(span_of(out_bytes->bytes, len));
    TRY(read_claims(&reader, &claims));
    *out_claims = claims;
    return ERR_OK;
}
