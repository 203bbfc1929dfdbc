/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parser of expressions, on any text: it reads no byte beyond the last and writes none beyond its program, takes the
 * texts of the grammar and no others, and the program that it writes means what the text says. The text lies in memory of
 * exactly its length. What it says is found by the plainest means: cut at the signs, blanks off, words compared.
 * Symbolically it is any bytes; the other engines take sequences of tokens and of pieces that are none.
 *
 * cbmc: --unwind 9 --unwindset rls_expression_compile.0:3 firmware/rls/expr.c firmware/rls/eval.c hal/base/span.c hal/base/mem.c hal/base/fault.c
 * plant: firmware/rls/expr.c: s/if (scanner.rest.len > 0)/if (scanner.rest.len > 1)/ */
#include "firmware/rls/rls_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "tests/proof/proof.h"

#define TEXT_SYMBOLIC 5
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

/* false: it is no atom. */
static bool atom_says(struct span text, const struct asker *asker, bool self, bool *out_holds)
{
    *out_holds = is_word(text, span_lit("public")) || is_word(text, span_lit("guest")) ||
                 (is_word(text, span_lit("user")) && asker->user) || (is_word(text, span_lit("self")) && self) ||
                 (is_word(text, span_lit("role:*")) && asker->a) || (is_word(text, span_lit("role:a")) && asker->a);
    return *out_holds || is_word(text, span_lit("user")) || is_word(text, span_lit("self")) ||
           is_word(text, span_lit("admin")) || is_word(text, span_lit("role:*")) || is_role(text);
}

/* false: it is no expression. */
static bool text_says(struct span text, const struct asker *asker, bool self, bool *out_holds)
{
    bool good = true;
    bool any = false;
    bool term = true;

    for (size_t from = 0; from <= text.len;) {
        const size_t end = cut_at(text, from);
        bool atom = false;

        good = atom_says(trimmed(span_of(text.data + from, end - from)), asker, self, &atom) && good;
        term = term && atom;
        if (end == text.len || text.data[end] == '|') {
            any = any || term;
            term = true;
        }
        from = end + 1;
    }
    *out_holds = any;
    return good;
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

static void check_meaning(struct span text, const struct rls_roles *roles, const struct rls_program *program)
{
    const struct asker asker = {.user = proof_any_bool(), .a = proof_any_bool()};
    struct rls_facts facts = {.user = asker.user, .any_role = asker.a, .role_count = roles->count};
    bool alone = false;
    bool owned = false;

    proof_check(program->len >= 2 && program->len <= text.len && program->len <= RLS_PROGRAM_MAX);
    proof_check(roles->count <= text.len / 6);
    for (size_t i = 0; asker.a && i < roles->count; i++) {
        facts.roles[0] |= (uint64_t)is_word(roles->names[i], span_lit("a")) << i;
    }
    (void)text_says(text, &asker, false, &alone);
    (void)text_says(text, &asker, true, &owned);
    proof_check(rls_evaluate(span_of(program->code, program->len), &facts) ==
                (alone ? RLS_ALLOW : (owned ? RLS_OWNER : RLS_DENY)));
}

void proof_harness(void)
{
    const struct asker nobody = {.user = false};
    uint8_t bytes[TOKENS * TOKEN_MAX];
    const size_t len = any_text(bytes);
    struct rls_roles roles = {.count = 0};
    struct rls_program program = {.len = 77};
    void *memory = NULL;
    bool holds = false;

    if (mem_alloc(len, &memory) != ERR_OK) {
        fault_clear();
        return;
    }
    SCOPED(free_bytes) uint8_t *copy = memory;

    for (size_t i = 0; i < len; i++) {
        copy[i] = bytes[i];
    }
    const struct span text = span_of(copy, len);
    const char *why = rls_expression_compile(text, &roles, &program);

    proof_check((why == NULL) == text_says(text, &nobody, false, &holds));
    if (why == NULL) {
        check_meaning(text, &roles, &program);
    } else {
        proof_check(program.len == 77);
    }
}
