/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program of a regular expression, seen by its compiler and its matcher alone. */
#ifndef FIRMWARE_DATA_REGEX_INT_H
#define FIRMWARE_DATA_REGEX_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/data/regex.h"

enum regex_op {
    REGEX_CHAR,       /* a: the code point, folded if letters are */
    REGEX_ANY,        /* any but a line feed */
    REGEX_CLASS,      /* a: index of the class */
    REGEX_SPLIT,      /* on to both pc + a and pc + b */
    REGEX_JUMP,       /* on to pc + a */
    REGEX_TEXT_START, /* these four take no character: they hold or the thread ends */
    REGEX_TEXT_END,
    REGEX_WORD_EDGE,
    REGEX_NO_WORD_EDGE,
    REGEX_MATCH,
};

/* Targets are relative, so a piece of program can be copied for {m,n}. */
struct regex_inst {
    enum regex_op op;
    int32_t a;
    int32_t b;
};

struct regex_range {
    uint32_t low, high;
};

/* ascii is complete for ASCII, negation and folding included; ranges serve the rest. */
struct regex_class {
    uint64_t ascii[2];
    uint16_t first, count; /* of ranges */
    bool negated;
};

struct regex {
    enum regex_case letters;
    const struct regex_inst *code;
    size_t code_count;
    const struct regex_class *classes;
    const struct regex_range *ranges;
    uint8_t starts[32]; /* bytes that can begin a match, if may_skip */
    bool may_skip;
    bool anchored; /* every match begins at the start of the text */
};

#define REGEX_REPLACEMENT 0xFFFDu

/* The code point at the front of text (not empty) and its length in bytes; U+FFFD and 1 for a byte that begins none. */
uint32_t regex_decode(struct span text, size_t *out_len);

/* ASCII only. */
static inline uint32_t regex_fold(uint32_t code_point)
{
    return code_point >= 'A' && code_point <= 'Z' ? code_point + ('a' - 'A') : code_point;
}

static inline bool regex_is_word(uint32_t code_point)
{
    const uint32_t folded = regex_fold(code_point);
    return (folded >= 'a' && folded <= 'z') || (code_point >= '0' && code_point <= '9') || code_point == '_';
}

#endif
