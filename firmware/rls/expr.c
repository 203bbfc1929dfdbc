/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the text of an expression to its program: the grammar of contract 3.4, read once from left to right.
 *
 *   expr = term , { "|" , term } ;    term = atom , { "&" , atom } ;
 *
 * There is no nesting, so there is no stack: atoms are written as they come, "&" writes nothing (atoms of a term are
 * ANDed anyway), "|" ends a term. Blanks, which are spaces and tabs, may stand between tokens; everything that is not in
 * the grammar is refused, so a text has one meaning or none.
 * Spec: contract 3.4. A built-in name behind "role:" is an expression like any other that never matches, because no
 * requester has such a custom role: rls_bind does not look at it. */
#include "firmware/rls/rls_int.h"

static const char not_grammar[] =
    "is not an expression of user, guest, admin, self, public, role:name, role:*, & and |";

struct scanner {
    struct span rest;
};

/* The next byte; 0, which is in no token, at the end. */
static uint8_t peek(const struct scanner *scanner)
{
    return scanner->rest.len == 0 ? 0 : scanner->rest.data[0];
}

static struct span take(struct scanner *scanner, size_t len)
{
    const struct span taken = span_of(scanner->rest.data, len);
    scanner->rest = span_of(scanner->rest.data + len, scanner->rest.len - len);
    return taken;
}

static bool take_if(struct scanner *scanner, uint8_t byte)
{
    const bool there = peek(scanner) == byte;
    if (there) {
        (void)take(scanner, 1);
    }
    return there;
}

static void skip_blanks(struct scanner *scanner)
{
    while (peek(scanner) == ' ' || peek(scanner) == '\t') {
        (void)take(scanner, 1);
    }
}

static bool is_lower(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool in_word(uint8_t byte)
{
    return is_lower(byte) || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

/* A lower-case letter and what may follow one in a name; empty if none starts here. */
static struct span take_word(struct scanner *scanner)
{
    size_t len = 0;
    if (!is_lower(peek(scanner))) {
        return SPAN_NONE;
    }
    do {
        len++;
    } while (len < scanner->rest.len && in_word(scanner->rest.data[len]));
    return take(scanner, len);
}

static const char *role_code(struct rls_roles *roles, struct span name, uint8_t *out_code)
{
    size_t role = 0;
    while (role < roles->count && !span_equal(roles->names[role], name)) {
        role++;
    }
    if (role == RLS_ROLES_MAX) {
        return "names one custom role too many: a policy may name 128";
    }
    if (role == roles->count) {
        roles->names[role] = name;
        roles->count++;
    }
    *out_code = (uint8_t)(RLS_CODE_ROLE | role);
    return NULL;
}

/* What follows "role". */
static const char *scan_role(struct scanner *scanner, struct rls_roles *roles, uint8_t *out_code)
{
    if (!take_if(scanner, ':')) {
        return not_grammar;
    }
    if (take_if(scanner, '*')) {
        *out_code = RLS_CODE_ANY_ROLE;
        return NULL;
    }
    const struct span name = take_word(scanner);
    return name.len == 0 ? not_grammar : role_code(roles, name, out_code);
}

static const char *scan_atom(struct scanner *scanner, struct rls_roles *roles, uint8_t *out_code)
{
    static const struct {
        const char *word;
        uint8_t code;
    } atoms[] = {{"public", RLS_CODE_ANYBODY},
                 {"guest", RLS_CODE_ANYBODY},
                 {"user", RLS_CODE_USER},
                 {"admin", RLS_CODE_ADMIN},
                 {"self", RLS_CODE_SELF}};
    const struct span word = take_word(scanner);
    if (span_equal(word, span_lit("role"))) {
        return scan_role(scanner, roles, out_code);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(atoms); i++) {
        if (span_equal(word, span_str(atoms[i].word))) {
            *out_code = atoms[i].code;
            return NULL;
        }
    }
    return not_grammar;
}

static void emit(struct rls_program *program, uint8_t code)
{
    program->code[program->len] = code;
    program->len++;
}

const char *rls_expression_compile(struct span text, struct rls_roles *roles, struct rls_program *out_program)
{
    struct scanner scanner = {text};
    struct rls_program program = {.len = 0};
    if (text.len > RLS_EXPRESSION_MAX) {
        return "is longer than 512 bytes";
    }
    for (;;) { /* each round takes an atom, which has bytes */
        uint8_t code;
        skip_blanks(&scanner);
        const char *why = scan_atom(&scanner, roles, &code);
        if (why != NULL) {
            return why;
        }
        emit(&program, code);
        skip_blanks(&scanner);
        if (take_if(&scanner, '|')) {
            emit(&program, RLS_CODE_OR);
        } else if (!take_if(&scanner, '&')) {
            break;
        }
    }
    if (scanner.rest.len > 0) {
        return not_grammar;
    }
    emit(&program, RLS_CODE_END);
    *out_program = program;
    return NULL;
}
