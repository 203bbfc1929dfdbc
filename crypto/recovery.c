/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Proquints: each word is consonant(4 bits) vowel(2) consonant(4) vowel(2) consonant(4), most significant first.
 *
 * The key must choose neither a branch nor a table index, so letters are looked up by comparing with all of them. What a
 * person typed may show by timing where it has a letter and where a dash. */
#include "crypto/recovery.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "crypto/ct.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

#define WORD_LETTERS 5
#define CHECK_BYTES 2
#define CODED_BYTES (RECOVERY_KEY_BYTES + CHECK_BYTES)
#define KEY_INFO "rowlock recovery key"

_Static_assert(CODED_BYTES == RECOVERY_WORDS * 2, "every word holds two bytes");

static const uint8_t consonants[16] = {'b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'};
static const uint8_t vowels[4] = {'a', 'i', 'o', 'u'};

static uint8_t letter_of(const uint8_t *letters, uint8_t count, uint8_t value)
{
    uint8_t letter = 0;

    for (uint8_t i = 0; i < count; i++) {
        letter |= (uint8_t)(letters[i] & ct_mask_equal(i, value));
    }
    return letter;
}

/* The value of a letter, and into *known 1 bits as long as every letter was one of them. */
static uint8_t value_of(const uint8_t *letters, uint8_t count, uint8_t letter, uint8_t *known)
{
    uint8_t value = 0;
    uint8_t found = 0;

    for (uint8_t i = 0; i < count; i++) {
        const uint8_t same = ct_mask_equal(letters[i], letter);

        value |= (uint8_t)(i & same);
        found |= same;
    }
    *known &= found;
    return value;
}

static void put_word(const uint8_t bytes[2], uint8_t *out_word)
{
    out_word[0] = letter_of(consonants, 16, (uint8_t)(bytes[0] >> 4));
    out_word[1] = letter_of(vowels, 4, (uint8_t)(bytes[0] >> 2 & 3));
    out_word[2] = letter_of(consonants, 16, (uint8_t)((bytes[0] & 3) << 2 | bytes[1] >> 6));
    out_word[3] = letter_of(vowels, 4, (uint8_t)(bytes[1] >> 4 & 3));
    out_word[4] = letter_of(consonants, 16, (uint8_t)(bytes[1] & 15));
}

static void get_word(const uint8_t *word, uint8_t out_bytes[2], uint8_t *known)
{
    const uint8_t first = value_of(consonants, 16, word[0], known);
    const uint8_t second = value_of(vowels, 4, word[1], known);
    const uint8_t third = value_of(consonants, 16, word[2], known);
    const uint8_t fourth = value_of(vowels, 4, word[3], known);
    const uint8_t fifth = value_of(consonants, 16, word[4], known);

    out_bytes[0] = (uint8_t)(first << 4 | second << 2 | third >> 2);
    out_bytes[1] = (uint8_t)((third & 3) << 6 | fourth << 4 | fifth);
}

enum err recovery_key_new(struct random *random, struct secret **out_key)
{
    return random_secret(random, RECOVERY_KEY_BYTES, out_key);
}

enum err recovery_to_words(const struct secret *key, struct secret **out_text)
{
    SCOPED_WIPE_64 struct wipe_64 coded = {{0}};
    SCOPED_WIPE_32 struct wipe_32 digest = {{0}};
    SCOPED_SECRET struct secret *text = NULL;

    ENSURE(secret_len(key) == RECOVERY_KEY_BYTES, ERR_RANGE, "length of a recovery key");
    TRY(secret_new(RECOVERY_TEXT_BYTES, &text));
    memcpy(coded.bytes, secret_reveal(key).data, RECOVERY_KEY_BYTES);
    sha256(secret_reveal(key), digest.bytes);
    memcpy(coded.bytes + RECOVERY_KEY_BYTES, digest.bytes, CHECK_BYTES);
    memset(secret_fill(text), '-', RECOVERY_TEXT_BYTES);
    for (size_t i = 0; i < RECOVERY_WORDS; i++) {
        put_word(coded.bytes + 2 * i, secret_fill(text) + i * (WORD_LETTERS + 1));
    }
    *out_text = TAKE(text);
    return ERR_OK;
}

static bool is_separator(uint8_t letter)
{
    return letter == '-' || letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

/* Takes letters until the next separator: exactly one word, in lower case. */
static enum err next_word(struct reader *reader, uint8_t out_word[WORD_LETTERS])
{
    while (reader->rest.len != 0 && is_separator(reader->rest.data[0])) {
        reader->rest = span_of(reader->rest.data + 1, reader->rest.len - 1);
    }
    for (size_t i = 0; i < WORD_LETTERS; i++) {
        uint8_t letter = 0;

        TRY(reader_get_u8(reader, &letter));
        ENSURE((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'), ERR_MALFORMED,
               "a recovery word is five letters");
        out_word[i] = (uint8_t)(letter | 0x20);
    }
    ENSURE(reader->rest.len == 0 || is_separator(reader->rest.data[0]), ERR_MALFORMED, "a recovery word is five letters");
    return ERR_OK;
}

enum err recovery_from_words(struct span text, struct secret **out_key)
{
    SCOPED_WIPE_64 struct wipe_64 coded = {{0}};
    SCOPED_WIPE_32 struct wipe_32 digest = {{0}};
    SCOPED_WIPE_32 struct wipe_32 word = {{0}};
    struct reader reader = reader_of(text);
    uint8_t known = 0xff;

    ENSURE(text.len <= RECOVERY_INPUT_MAX, ERR_RANGE, "a recovery key longer than anybody types");
    for (size_t i = 0; i < RECOVERY_WORDS; i++) {
        TRY(next_word(&reader, word.bytes));
        get_word(word.bytes, coded.bytes + 2 * i, &known);
    }
    for (size_t i = 0; i < reader.rest.len; i++) {
        ENSURE(is_separator(reader.rest.data[i]), ERR_MALFORMED, "more than seventeen recovery words");
    }
    ENSURE(known == 0xff, ERR_MALFORMED, "a letter that no recovery word has there");
    sha256(span_of(coded.bytes, RECOVERY_KEY_BYTES), digest.bytes);
    ENSURE(ct_equal(span_of(digest.bytes, CHECK_BYTES), span_of(coded.bytes + RECOVERY_KEY_BYTES, CHECK_BYTES)),
           ERR_MALFORMED, "the recovery words do not fit their checksum");
    return secret_new_copy(span_of(coded.bytes, RECOVERY_KEY_BYTES), out_key);
}

enum err recovery_key_pair(const struct secret *key, struct secret **out_private, uint8_t out_public[HPKE_PUBLIC_BYTES])
{
    SCOPED_SECRET struct secret *input = NULL;

    ENSURE(secret_len(key) == RECOVERY_KEY_BYTES, ERR_RANGE, "length of a recovery key");
    TRY(hkdf_sha256(key, SPAN_NONE, span_lit(KEY_INFO), RECOVERY_KEY_BYTES, &input));
    return hpke_key_pair(input, out_private, out_public);
}
