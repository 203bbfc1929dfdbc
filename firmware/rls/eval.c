/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the program of an expression, for self=false and self=true at once: the language has no negation, so what holds
 * without `self` holds with it, and two values are the whole dependence on the row (contract 3.4).
 *
 * The program is trusted in nothing. One loop goes over all of its bytes, at most RLS_PROGRAM_MAX, and never ends early, so
 * the work depends on the policy alone and not on who asks. A byte that is no instruction, a role that the policy does not
 * name, a term without an atom, an END too early or none: the answer is RLS_DENY, whatever else the program says. */
#include "firmware/rls/rls_int.h"
#include "hal/base/num.h"

struct values {
    bool alone; /* with self=false */
    bool owned; /* with self=true */
};

struct machine {
    struct values any;  /* some term so far holds */
    struct values term; /* all atoms so far of this term hold */
    bool atoms;         /* it has one */
    bool ended;
    bool broken;
};

/* false: the byte is no atom. */
static bool atom_values(uint8_t code, const struct rls_facts *facts, struct values *out_values)
{
    const size_t role = code & RLS_ROLE_MASK;
    bool alone = false;
    bool known = true;
    if ((code & RLS_CODE_ROLE) != 0) {
        alone = (facts->roles[role / 64] >> (role % 64) & 1) != 0;
        known = role < facts->role_count;
    } else if (code == RLS_CODE_ANYBODY) {
        alone = true;
    } else if (code == RLS_CODE_USER) {
        alone = facts->user;
    } else if (code == RLS_CODE_ADMIN) {
        alone = facts->admin;
    } else if (code == RLS_CODE_ANY_ROLE) {
        alone = facts->any_role;
    } else {
        known = code == RLS_CODE_SELF;
    }
    *out_values = (struct values){alone, alone || code == RLS_CODE_SELF};
    return known;
}

static void step(struct machine *machine, uint8_t code, const struct rls_facts *facts)
{
    struct values atom;
    machine->broken = machine->broken || machine->ended;
    if (code == RLS_CODE_OR || code == RLS_CODE_END) {
        machine->broken = machine->broken || !machine->atoms;
        machine->ended = machine->ended || code == RLS_CODE_END;
        machine->any.alone = machine->any.alone || machine->term.alone;
        machine->any.owned = machine->any.owned || machine->term.owned;
        machine->term = (struct values){true, true};
        machine->atoms = false;
        return;
    }
    machine->broken = !atom_values(code, facts, &atom) || machine->broken;
    machine->term.alone = machine->term.alone && atom.alone;
    machine->term.owned = machine->term.owned && atom.owned;
    machine->atoms = true;
}

enum rls_verdict rls_evaluate(struct span program, const struct rls_facts *facts)
{
    struct machine machine = {.term = {true, true}, .broken = program.len > RLS_PROGRAM_MAX};
    const size_t steps = num_min(program.len, RLS_PROGRAM_MAX);
    for (size_t i = 0; i < steps; i++) {
        step(&machine, program.data[i], facts);
    }
    if (machine.broken || !machine.ended) {
        return RLS_DENY;
    }
    if (machine.any.alone) {
        return RLS_ALLOW;
    }
    return machine.any.owned ? RLS_OWNER : RLS_DENY;
}
