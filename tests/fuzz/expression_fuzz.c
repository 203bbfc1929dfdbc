/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/rls, the innermost part: any text as an expression, and any bytes as the program of one. The first byte says
 * who asks, and which of the two.
 *
 * What must hold: a program that was compiled is never malformed (some requester is let through by it, since there is no
 * negation); whoever has more is let through wherever whoever has less is; blanks around signs change nothing. */
#include "firmware/rls/rls_int.h"
#include "tests/fuzz/fuzz.h"

static struct rls_facts facts_of(uint8_t bits, size_t roles)
{
    const bool role = (bits & 4) != 0;

    return (struct rls_facts){.user = (bits & 1) != 0,
                              .admin = (bits & 2) != 0,
                              .any_role = role,
                              .role_count = roles,
                              .roles = {role ? UINT64_MAX : 0, role ? UINT64_MAX : 0}};
}

/* DENY < OWNER < ALLOW. */
static int rank(enum rls_verdict verdict)
{
    FUZZ_CHECK(verdict == RLS_DENY || verdict == RLS_OWNER || verdict == RLS_ALLOW);
    return verdict == RLS_DENY ? 0 : (verdict == RLS_OWNER ? 1 : 2);
}

static enum rls_verdict run(struct span program, uint8_t bits, size_t roles)
{
    const struct rls_facts facts = facts_of(bits, roles);

    return rls_evaluate(program, &facts);
}

/* The text with a blank on either side of each sign. */
static struct span blanks_in(struct arena *arena, struct span text)
{
    void *memory = NULL;
    size_t len = 0;

    FUZZ_CHECK(arena_alloc(arena, 3 * text.len + 1, &memory) == ERR_OK);
    uint8_t *copy = memory;
    for (size_t i = 0; i < text.len; i++) {
        const bool sign = text.data[i] == '|' || text.data[i] == '&';

        copy[len] = sign ? '\t' : text.data[i];
        len++;
        if (sign) {
            copy[len] = text.data[i];
            copy[len + 1] = ' ';
            len += 2;
        }
    }
    return span_of(copy, len);
}

static void check_text(struct span text, uint8_t bits)
{
    struct rls_roles roles = {.count = 0};
    struct rls_roles again = {.count = 0};
    struct rls_program program;
    struct rls_program same;

    if (rls_expression_compile(text, &roles, &program) != NULL) {
        return;
    }
    const struct span code = span_of(program.code, program.len);
    FUZZ_CHECK(program.len >= 2 && program.len <= RLS_PROGRAM_MAX && program.len <= text.len);
    FUZZ_CHECK(run(code, 7, roles.count) != RLS_DENY);
    FUZZ_CHECK(rank(run(code, bits, roles.count)) >= rank(run(code, 0, roles.count)));
    FUZZ_CHECK(rank(run(code, 7, roles.count)) >= rank(run(code, bits, roles.count)));

    const struct span wide = blanks_in(fuzz_arena(), text);
    if (wide.len <= RLS_EXPRESSION_MAX) {
        FUZZ_CHECK(rls_expression_compile(wide, &again, &same) == NULL);
        FUZZ_CHECK(span_equal(code, span_of(same.code, same.len)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const struct span rest = span_of(data + 1, size - 1);

    if ((data[0] & 8) != 0) {
        (void)rank(run(rest, data[0] & 7, 3));
    } else {
        check_text(rest, data[0] & 7);
    }
    return 0;
}
