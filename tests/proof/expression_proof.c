/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parser of expressions, on any text: it reads no byte beyond the last and writes none beyond its program, takes the
 * texts of the grammar and no others, and the program that it writes means what the text says. The text ends where its
 * memory ends, which has one size for all lengths: a size that CBMC does not know costs it more than all the rest. What a
 * text says is found by the plainest means: cut at the signs, blanks off, words compared. Symbolically it is any bytes,
 * up to six, the shortest role; the other engines take sequences of tokens and of pieces that are none.
 *
 * cbmc: --unwind 8 --unwindset rls_expression_compile.0:2,role_code.0:2,is_role.0:2,any_text.1:1,any_text.2:1 firmware/rls/expr.c firmware/rls/eval.c hal/base/span.c hal/base/mem.c hal/base/fault.c
 * plant: firmware/rls/expr.c: s/if (scanner.rest.len > 0)/if (scanner.rest.len > 1)/ */
#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/proof/proof.h"

#define TEXT_SYMBOLIC 6
#define TOKENS        6
#define TOKEN_MAX     6

static void free_bytes(uint8_t **bytes)
{
    mem_free(*bytes);
}

/* Who asks: of group user, with the role a. */
struct asker {
    bool user, a;
};

/* Where the piece that begins at `from` ends: at a sign or with the text. */
static size_t cut_at(struct span text, size_t from)
{
    size_t at = from;

    while (at < text.len && text.data[at] != '|' && text.data[at] != '&') {
        at++;
    }
    return at;
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

static bool is_word(struct span text, struct span word)
{
    bool same = text.len == word.len;

    for (size_t i = 0; same && i < word.len; i++) {
        same = text.data[i] == word.data[i];
    }
    return same;
}

static bool is_role(struct span text)
{
    bool good = text.len > 5 && is_word(span_of(text.data, 5), span_lit("role:"));

    for (size_t i = 5; good && i < text.len; i++) {
        const uint8_t byte = text.data[i];
        const bool lower = byte >= 'a' && byte <= 'z';

        good = lower || (i > 5 && ((byte >= '0' && byte <= '9') || byte == '_' || byte == '-'));
    }
    return good;
}

/* What a text says to one asker: nothing at all if it is no atom, or no expression; and whether it holds without `self`
 * and with it. */
struct saying {
    bool good, alone, owned;
};

static struct saying atom_says(struct span text, const struct asker *asker)
{
    const bool anybody = is_word(text, span_lit("public")) || is_word(text, span_lit("guest"));
    const bool user = is_word(text, span_lit("user"));
    const bool self = is_word(text, span_lit("self"));
    const bool role = is_word(text, span_lit("role:*"));
    const bool alone = anybody || (user && asker->user) || ((role || is_word(text, span_lit("role:a"))) && asker->a);

    return (struct saying){.good = anybody || user || self || role || is_word(text, span_lit("admin")) || is_role(text),
                           .alone = alone,
                           .owned = alone || self};
}

static struct saying text_says(struct span text, const struct asker *asker)
{
    struct saying all = {.good = true};
    struct saying term = {.alone = true, .owned = true};

    for (size_t from = 0; from <= text.len;) {
        const size_t end = cut_at(text, from);
        const struct saying atom = atom_says(trimmed(span_of(text.data + from, end - from)), asker);

        all.good = all.good && atom.good;
        term.alone = term.alone && atom.alone;
        term.owned = term.owned && atom.owned;
        if (end == text.len || text.data[end] == '|') {
            all.alone = all.alone || term.alone;
            all.owned = all.owned || term.owned;
            term = (struct saying){.alone = true, .owned = true};
        }
        from = end + 1;
    }
    return all;
}

/* Fills the text with any bytes, or with tokens; the length of it. */
static size_t any_text(uint8_t text[TOKENS * TOKEN_MAX])
{
    static const char *const tokens[] = {"user", "self", "role:a", "|", "&", " ", "x", "role:*"};
    size_t len = 0;

    if (proof_bound(1, 0) == 1) {
        const size_t picked = proof_any_size(TEXT_SYMBOLIC);

        while (len < picked) {
            text[len++] = proof_any_byte();
        }
        return len;
    }
    for (size_t count = proof_any_size(TOKENS); count > 0; count--) {
        const char *token = tokens[proof_any_size(ARRAY_LENGTH(tokens) - 1)];

        while (*token != 0) {
            text[len++] = (uint8_t)*token++;
        }
    }
    return len;
}

static void check_program(struct span text, const struct asker *asker, const struct saying *said,
                          const struct rls_roles *roles, const struct rls_program *program)
{
    struct rls_facts facts = {.user = asker->user, .any_role = asker->a, .role_count = roles->count};

    proof_check(program->len >= 2 && program->len <= text.len && program->len <= RLS_PROGRAM_MAX);
    proof_check(roles->count <= text.len / 6);
    for (size_t i = 0; asker->a && i < roles->count; i++) {
        facts.roles[0] |= (uint64_t)is_word(roles->names[i], span_lit("a")) << i;
    }
    proof_check(rls_evaluate(span_of(program->code, program->len), &facts) ==
                (said->alone ? RLS_ALLOW : (said->owned ? RLS_OWNER : RLS_DENY)));
}

void proof_harness(void)
{
    uint8_t bytes[TOKENS * TOKEN_MAX];
    const size_t room = proof_bound(TEXT_SYMBOLIC, sizeof(bytes));
    const size_t len = any_text(bytes);
    struct rls_roles roles = {.count = 0};
    struct rls_program program = {.len = 77};
    void *memory = NULL;

    if (mem_alloc(room, &memory) != ERR_OK) {
        fault_clear();
        return;
    }
    SCOPED(free_bytes) uint8_t *copy = memory;

    for (size_t i = 0; i < len; i++) {
        copy[room - len + i] = bytes[i];
    }
    const struct span text = span_of(copy + room - len, len);
    const char *why = rls_expression_compile(text, &roles, &program);

    const struct asker asker = {.user = why == NULL && proof_any_bool(), .a = why == NULL && proof_any_bool()};
    const struct saying said = text_says(span_of(bytes, len), &asker);

    proof_check((why == NULL) == said.good);
    if (why == NULL) {
        check_program(text, &asker, &said, &roles, &program);
    } else {
        proof_check(program.len == 77);
    }
}
