/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel knows quotes in its command line, we do not: a word of ours has no blanks. A word of ours that we do not know
 * is an error, because somebody who signed it meant something by it. */
#include "firmware/boot_words.h"

#include <stdbool.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/bootline.h"

static enum err read_root_hash(struct span value, struct boot_words *words)
{
    return hex_decode(value, words->root_hash, sizeof(words->root_hash));
}

static enum err read_blocks(struct span value, struct boot_words *words)
{
    TRY(span_to_u64(value, BOOT_BLOCKS_MAX, &words->blocks));
    ENSURE(words->blocks != 0, ERR_MALFORMED, "a root without blocks");
    return ERR_OK;
}

static enum err read_salt(struct span value, struct boot_words *words)
{
    ENSURE(value.len <= HEX_BYTES(BOOT_SALT_MAX), ERR_MALFORMED, "a salt that is too long");
    TRY(hex_decode(value, words->salt, value.len / 2));
    words->salt_len = value.len / 2;
    return ERR_OK;
}

static bool is_of_version(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '+' || c == '~' || c == '-';
}

static enum err read_version(struct span value, struct boot_words *words)
{
    ENSURE(value.len != 0 && value.len <= BOOT_VERSION_MAX, ERR_MALFORMED, "a version is 1 to 63 bytes");
    for (size_t i = 0; i < value.len; i++) {
        ENSURE(is_of_version(value.data[i]), ERR_MALFORMED, "a version that is none");
    }
    memcpy(words->version, value.data, value.len);
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*read)(struct span value, struct boot_words *words);
} table[] = {
    {"rowlock.verity=", read_root_hash},
    {"rowlock.blocks=", read_blocks},
    {"rowlock.salt=", read_salt},
    {"rowlock.version=", read_version},
};

struct reading {
    struct boot_words words;
    bool seen[ARRAY_LENGTH(table)];
};

static enum err read_word(struct span word, struct reading *reading)
{
    if (!span_starts_with(word, span_lit("rowlock."))) {
        return ERR_OK;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        const struct span name = span_str(table[i].name);
        if (!span_starts_with(word, name)) {
            continue;
        }
        ENSURE(!reading->seen[i], ERR_MALFORMED, "a word of the command line stands there twice");
        reading->seen[i] = true;
        ENSURE(table[i].read(span_of(word.data + name.len, word.len - name.len), &reading->words) == ERR_OK,
               ERR_MALFORMED, "a word of the command line is not of its form");
        return ERR_OK;
    }
    FAIL(ERR_MALFORMED, "a word of ours in the command line that is not known", 0);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

enum err boot_words_read(struct span line, struct boot_words *out_words)
{
    struct reading reading = {.words = {.blocks = 0}};
    size_t begins = 0;

    for (size_t at = 0; at <= line.len; at++) {
        if (at == line.len || is_blank(line.data[at])) {
            TRY(read_word(span_of(line.data + begins, at - begins), &reading));
            begins = at + 1;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        ENSURE(reading.seen[i], ERR_MALFORMED, "a word is missing in the command line");
    }

    *out_words = reading.words;
    return ERR_OK;
}

enum err boot_words_of_kernel(struct boot_words *out_words)
{
    SCOPED_BUF struct buf *line = NULL;

    TRY(buf_new(BOOTLINE_MAX, &line));
    TRY(bootline_read(line));
    return boot_words_read(buf_all(line), out_words);
}
