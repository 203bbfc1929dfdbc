/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiler attributes and scoped clean-up, under one name each. gcc and clang both have them. */
#ifndef HAL_BASE_ATTR_H
#define HAL_BASE_ATTR_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define NO_RETURN __attribute__((noreturn))
#define SCOPED(done) __attribute__((cleanup(done)))
#define UNUSED __attribute__((unused))

/* Moves ownership out of a scoped variable: yields its value and leaves NULL behind. */
#define TAKE(pointer)                                                                                                  \
    (__extension__({                                                                                                   \
        __typeof__(pointer) take_value_ = (pointer);                                                                   \
        (pointer) = NULL;                                                                                              \
        take_value_;                                                                                                   \
    }))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
