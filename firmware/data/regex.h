/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regular expressions with a bound: a pattern becomes a program of at most REGEX_STATES_MAX states, and a match is one
 * pass over the text that keeps the set of states alive. Work is states x bytes, there is no backtracking, and all
 * matches of a request share one budget of steps.
 *
 * Grammar (everything else is refused): literals; "."; classes [a-z], [^...]; groups (...) and (?:...); alternation;
 * * + ? {m} {m,} {m,n} with n <= 1000; anchors ^ $ (start and very end of the text); \d \w \s \D \W \S (ASCII); \b \B;
 * \n \r \t \f, and \ before ASCII punctuation. Text and pattern are UTF-8: ".", classes and literals work on code
 * points; "." does not match a line feed.
 * Case-insensitive means ASCII letters; other letters match themselves only.
 * Spec: contract 4.4. */
#ifndef FIRMWARE_DATA_REGEX_H
#define FIRMWARE_DATA_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/mem.h"
#include "hal/base/span.h"

#define REGEX_PATTERN_MAX 256  /* bytes; contract 4.4 */
#define REGEX_REPEAT_MAX  1000 /* contract 4.4 */
#define REGEX_STATES_MAX  4096 /* [a-z]{1,1000} has 2001; each costs 16 bytes of work memory */
#define REGEX_GROUPS_MAX  32   /* nesting */

enum regex_case { REGEX_CASE_SENSITIVE, REGEX_CASE_IGNORED };

/* A compiled pattern: immutable, lives in the arena it was compiled into, may be read by any number of threads. */
struct regex;

/* The work memory of one thread or one request, about 100 KiB in its arena, and the steps that are left to it. */
struct regex_work;

/* steps: how many states all matches with this work memory may visit. ERR_NO_MEMORY. */
enum err regex_work_new(struct arena *arena, uint64_t steps, struct regex_work **out_work) MUST_USE;

/* Sets the steps that are left, for work memory that outlives a request. */
void regex_work_refill(struct regex_work *work, uint64_t steps);
uint64_t regex_work_left(const struct regex_work *work);

/* Takes steps for other work whose amount a client decides. ERR_BUDGET when fewer are left; none is then taken. */
enum err regex_work_spend(struct regex_work *work, uint64_t steps) MUST_USE;

/* Compiles a pattern.
 * ERR_MALFORMED    not a pattern (or not UTF-8)
 * ERR_UNSUPPORTED  a construct that this matcher does not have
 * ERR_RANGE        the pattern is longer than REGEX_PATTERN_MAX, or its program would pass REGEX_STATES_MAX
 * ERR_NO_MEMORY */
enum err regex_compile(struct arena *arena, struct span pattern, enum regex_case letters,
                       const struct regex **out_regex) MUST_USE;

/* Does the pattern match anywhere in the text? Bytes that are not UTF-8 count as U+FFFD, one per byte.
 * ERR_BUDGET when the steps are used up: the answer is then unknown. */
enum err regex_match(const struct regex *regex, struct span text, struct regex_work *work, bool *out_match) MUST_USE;

#endif
