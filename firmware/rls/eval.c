/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the program of an expression, for self=false and self=true at once: the language has no negation, so what holds
 * without `self` holds with it, and two values are the whole dependence on the row (contract 3.4).
 *
 * The program is trusted in nothing. One loop goes over all of its bytes, at most RLS_PROGRAM_MAX, and never ends early, so
 * the work depends on the policy alone and not on who asks. A byte that is no instruction, a role that the policy does not
 * name, a term without an atom, an END too early or none: the answer is RLS_DENY, whatever else the program says. */
#include "firmware/rls/rls_int.h"
#include "hal/base/num.h"

/* What holds for self=false in one bit and for self=true in the other, so that & and | are AND and OR of both at once. */
#define NEVER  0u
#define OWNED  2u
#define ALWAYS 3u

enum state {
    BEFORE_TERM, /* an atom must come */
    IN_TERM,
    ENDED,
    BROKEN, /* for good */
};

struct machine {
    enum state state;
    unsigned int any;  /* what some term so far says */
    unsigned int term; /* what all atoms so far of this term say */
};

static inline unsigned int always_if(bool holds)
{
    return holds ? ALWAYS : NEVER;
}

/* false: the byte is no atom. */
static inline bool atom_value(uint8_t code, const struct rls_facts *facts, unsigned int *out_value)
{
    const size_t role = code & RLS_ROLE_MASK;
    *out_value = NEVER;
    if ((code & RLS_CODE_ROLE) != 0) {
        *out_value = always_if((facts->roles[role / 64] >> (role % 64) & 1) != 0);
        return role < facts->role_count;
    }
    if (code == RLS_CODE_ANYBODY) {
        *out_value = ALWAYS;
    } else if (code == RLS_CODE_USER) {
        *out_value = always_if(facts->user);
    } else if (code == RLS_CODE_ADMIN) {
        *out_value = always_if(facts->admin);
    } else if (code == RLS_CODE_ANY_ROLE) {
        *out_value = always_if(facts->any_role);
    } else if (code == RLS_CODE_SELF) {
        *out_value = OWNED;
    } else {
        return false;
    }
    return true;
}

static inline void step(struct machine *machine, uint8_t code, const struct rls_facts *facts)
{
    unsigned int atom = NEVER;
    if (code == RLS_CODE_OR || code == RLS_CODE_END) {
        const enum state behind = code == RLS_CODE_END ? ENDED : BEFORE_TERM;
        machine->state = machine->state == IN_TERM ? behind : BROKEN;
        machine->any |= machine->term;
        machine->term = ALWAYS;
        return;
    }
    const bool in_place = machine->state == BEFORE_TERM || machine->state == IN_TERM;
    machine->state = atom_value(code, facts, &atom) && in_place ? IN_TERM : BROKEN;
    machine->term &= atom;
}

enum rls_verdict rls_evaluate(struct span program, const struct rls_facts *facts)
{
    struct machine machine = {.state = program.len > RLS_PROGRAM_MAX ? BROKEN : BEFORE_TERM, .term = ALWAYS};
    const size_t steps = num_min(program.len, RLS_PROGRAM_MAX);
    for (size_t i = 0; i < steps; i++) {
        step(&machine, program.data[i], facts);
    }
    if (machine.state != ENDED) {
        return RLS_DENY;
    }
    if (machine.any == ALWAYS) {
        return RLS_ALLOW;
    }
    return machine.any == OWNED ? RLS_OWNER : RLS_DENY;
}
