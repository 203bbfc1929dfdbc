/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evaluator of policies, on any bytes as a program: it reads none beyond the last, it ends, it denies whatever is no
 * program, and what is one means what its terms say. The program lies in memory of exactly its length. Symbolically a byte
 * is any byte; the other engines take an instruction of each kind and three bytes that are none.
 *
 * cbmc: --unwind 9 firmware/rls/eval.c hal/base/span.c hal/base/mem.c hal/base/fault.c
 * plant: firmware/rls/eval.c: s/machine->state == IN_TERM ? behind/machine->state != BROKEN ? behind/ */
#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/proof/proof.h"

static void free_bytes(uint8_t **bytes)
{
    mem_free(*bytes);
}

static uint8_t any_code(void)
{
    static const uint8_t codes[] = {RLS_CODE_END,  RLS_CODE_OR,       RLS_CODE_ANYBODY,  RLS_CODE_USER,
                                    RLS_CODE_SELF, RLS_CODE_ROLE | 1, RLS_CODE_ROLE | 2, RLS_CODE_ANY_ROLE + 1};

    return proof_bound(1, 0) == 1 ? proof_any_byte() : codes[proof_any_size(sizeof(codes) - 1)];
}

static bool is_atom(uint8_t code, const struct rls_facts *facts)
{
    const bool role = code >= RLS_CODE_ROLE && (size_t)(code - RLS_CODE_ROLE) < facts->role_count;

    return role || code == RLS_CODE_ANYBODY || code == RLS_CODE_USER || code == RLS_CODE_ADMIN ||
           code == RLS_CODE_SELF || code == RLS_CODE_ANY_ROLE;
}

static bool atom_holds(uint8_t code, const struct rls_facts *facts, bool self)
{
    switch (code) {
    case RLS_CODE_ANYBODY:
        return true;
    case RLS_CODE_USER:
        return facts->user;
    case RLS_CODE_ADMIN:
        return facts->admin;
    case RLS_CODE_SELF:
        return self;
    case RLS_CODE_ANY_ROLE:
        return facts->any_role;
    }
    return (facts->roles[0] >> (code - RLS_CODE_ROLE) & 1) != 0; /* of fewer than 64 */
}

/* Terms of one atom or more, with an OR between two, and one END, at the end. */
static bool is_program(const uint8_t *code, size_t len, const struct rls_facts *facts)
{
    bool good = len >= 2 && code[len - 1] == RLS_CODE_END;

    for (size_t i = 0; good && i + 1 < len; i++) {
        const bool may_end = i > 0 && code[i - 1] != RLS_CODE_OR;

        good = is_atom(code[i], facts) || (code[i] == RLS_CODE_OR && may_end);
    }
    return good && code[len - 2] != RLS_CODE_OR;
}

/* Is there a term that holds? Each begins at the start or behind an OR. count: without the END. */
static bool holds(const uint8_t *code, size_t count, const struct rls_facts *facts, bool self)
{
    bool any = false;

    for (size_t begin = 0; begin < count; begin++) {
        bool term = begin == 0 || code[begin - 1] == RLS_CODE_OR;

        for (size_t i = begin; i < count && code[i] != RLS_CODE_OR; i++) {
            term = term && atom_holds(code[i], facts, self);
        }
        any = any || term;
    }
    return any;
}

void proof_harness(void)
{
    const size_t len = proof_any_size(proof_bound(6, 6));
    const struct rls_facts facts = {.user = proof_any_bool(),
                                    .admin = proof_bound(1, 0) == 1 && proof_any_bool(),
                                    .any_role = proof_bound(1, 0) == 1 && proof_any_bool(),
                                    .role_count = 2,
                                    .roles = {proof_any_bool() ? 2 : 1, 0}};
    void *memory = NULL;

    if (mem_alloc(len, &memory) != ERR_OK) {
        fault_clear();
        return;
    }
    SCOPED(free_bytes) uint8_t *code = memory;

    for (size_t i = 0; i < len; i++) {
        code[i] = any_code();
    }
    const enum rls_verdict got = rls_evaluate(span_of(code, len), &facts);

    if (!is_program(code, len, &facts)) {
        proof_check(got == RLS_DENY);
    } else if (holds(code, len - 1, &facts, false)) {
        proof_check(got == RLS_ALLOW);
    } else {
        proof_check(got == (holds(code, len - 1, &facts, true) ? RLS_OWNER : RLS_DENY));
    }
}
