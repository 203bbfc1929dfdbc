/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Expressions: what is one and what is not, what each means, and what a program that no expression compiles to gets. The
 * last can be asked of the evaluator alone, so this test includes its header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/rls/rls_int.h"

/* Who may ask: every combination of group, custom role a or b, and an id. */
struct asker {
    bool user, admin, a, b;
};
#define ASKERS 16

static struct asker asker_of(unsigned int bits)
{
    return (struct asker){(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

/* As rls_bind would find them. */
static struct rls_facts facts_of(const struct asker *asker, const struct rls_roles *roles)
{
    struct rls_facts facts = {.user = asker->user, .admin = asker->admin, .any_role = asker->a || asker->b};
    facts.role_count = roles->count;
    for (size_t i = 0; i < roles->count; i++) {
        const bool has = (asker->a && span_equal(roles->names[i], span_lit("a"))) ||
                         (asker->b && span_equal(roles->names[i], span_lit("b")));
        facts.roles[i / 64] |= (uint64_t)has << (i % 64);
    }
    return facts;
}

struct atom {
    const char *text;
    bool (*holds)(const struct asker *asker, bool self);
};

static bool anybody(const struct asker *asker, bool self)
{
    return true;
}
static bool user(const struct asker *asker, bool self)
{
    return asker->user;
}
static bool admin(const struct asker *asker, bool self)
{
    return asker->admin;
}
static bool owner(const struct asker *asker, bool self)
{
    return self;
}
static bool role_a(const struct asker *asker, bool self)
{
    return asker->a;
}
static bool role_b(const struct asker *asker, bool self)
{
    return asker->b;
}
static bool any_role(const struct asker *asker, bool self)
{
    return asker->a || asker->b;
}

static const struct atom atoms[] = {{"public", anybody}, {"guest", anybody}, {"user", user},     {"admin", admin},
                                    {"self", owner},     {"role:a", role_a}, {"role:b", role_b}, {"role:*", any_role}};
#define ATOMS ARRAY_LENGTH(atoms)

/* Atoms and the signs between them: sign i stands behind atom i, true for "|". */
struct phrase {
    size_t atom[4];
    bool either[4];
    size_t count;
};

static bool phrase_holds(const struct phrase *phrase, const struct asker *asker, bool self)
{
    bool any = false;
    bool term = true;
    for (size_t i = 0; i < phrase->count; i++) {
        term = term && atoms[phrase->atom[i]].holds(asker, self);
        if (i + 1 == phrase->count || phrase->either[i]) {
            any = any || term;
            term = true;
        }
    }
    return any;
}

static struct span phrase_text(const struct phrase *phrase, const char *blank, char *text, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < phrase->count; i++) {
        const char *sign = i + 1 == phrase->count ? "" : (phrase->either[i] ? "|" : "&");
        len += (size_t)snprintf(text + len, room - len, "%s%s%s%s", blank, atoms[phrase->atom[i]].text, blank, sign);
    }
    return span_of(text, len);
}

static void check_phrase(const struct phrase *phrase, const char *blank)
{
    struct rls_roles roles = {.count = 0};
    struct rls_program program;
    char text[128];
    const struct span source = phrase_text(phrase, blank, text, sizeof(text));
    assert_null(rls_expression_compile(source, &roles, &program));
    for (unsigned int bits = 0; bits < ASKERS; bits++) {
        const struct asker asker = asker_of(bits);
        const struct rls_facts facts = facts_of(&asker, &roles);
        const enum rls_verdict wanted = phrase_holds(phrase, &asker, false)  ? RLS_ALLOW
                                        : phrase_holds(phrase, &asker, true) ? RLS_OWNER
                                                                             : RLS_DENY;
        if (rls_evaluate(span_of(program.code, program.len), &facts) != wanted) {
            fail_msg("%s for asker %u", text, bits);
        }
    }
}

/* Every phrase of so many atoms. */
static void check_phrases(size_t count)
{
    size_t combinations = 1;
    for (size_t i = 0; i < count; i++) {
        combinations *= ATOMS * (i + 1 == count ? 1u : 2u);
    }
    for (size_t number = 0; number < combinations; number++) {
        struct phrase phrase = {.count = count};
        size_t rest = number;
        for (size_t i = 0; i < count; i++) {
            phrase.atom[i] = rest % ATOMS;
            rest /= ATOMS;
            phrase.either[i] = rest % 2 == 1;
            rest /= i + 1 == count ? 1u : 2u;
        }
        check_phrase(&phrase, number % 2 == 0 ? "" : " \t");
    }
}

static void every_expression_of_up_to_four_atoms_means_what_it_says(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 4; count++) {
        check_phrases(count);
    }
}

static void only_the_grammar_is_an_expression(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "\t",
        "user |",
        "| user",
        "user &",
        "& user",
        "user || self",
        "user && a",
        "(user)",
        "!guest",
        "user user",
        "user,self",
        "owner",
        "User",
        "USER",
        "users",
        "use",
        "user2",
        "user-",
        "user_",
        "2user",
        "_user",
        "-user",
        "role",
        "role:",
        "role: a",
        "role :a",
        "role:A",
        "role:Admin",
        "role:1a",
        "role:-a",
        "role:_a",
        "role:a.b",
        "role:`",
        "role:{",
        "role:`a",
        "role:{a",
        "role:a`",
        "role:a{",
        "role:a/",
        "role:a@",
        "role:a b",
        "role:**",
        "role:*a",
        "role:a*",
        "role:a:b",
        "roles:a",

        "user\n",
        "user\r",
        "\vuser",
        "user\f|self",
        "user |\n self",
        "user=self",
        "user+self",
        "user/self",
        "user{",
        "user`",
        "user@",
        "user[",
        "user^",
        "user|",
        "user||",
        "user|&self",
        "user & | self",
        "not user",
        "*",
        ":",
        "role*",
        "role:a|role:",
        "user\xc2\xa0",
        "user \xc2\xa0| self",
        "\xef\xbb\xbfuser",
        "us\xc3\xa9r",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct rls_roles roles = {.count = 0};
        struct rls_program program = {.len = 77};
        if (rls_expression_compile(span_str(bad[i]), &roles, &program) == NULL) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(program.len, 77);
    }
    struct rls_roles roles = {.count = 0};
    struct rls_program program;
    assert_non_null(rls_expression_compile(span_of("user\0", 5), &roles, &program));
    assert_non_null(rls_expression_compile(span_of("user\0|self", 10), &roles, &program));
    assert_non_null(rls_expression_compile(SPAN_NONE, &roles, &program));
    assert_null(rls_expression_compile(span_of("user2", 4), &roles, &program)); /* what follows the text is not read */
}

static void names_of_roles_may_hold_what_the_grammar_says(void **state)
{
    (void)state;
    static const char *const good[] = {"role:a",    "role:z",           "role:a0",   "role:a9",
                                       "role:az-_", "role:a-",          "role:a_",   "role:admins",
                                       "role:adm",  "role:user-1",      "role:role", "role:a|role:b&role:c",
                                       " role:a ",  "\trole:a\t|\tself"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct rls_roles roles = {.count = 0};
        struct rls_program program;
        if (rls_expression_compile(span_str(good[i]), &roles, &program) != NULL) {
            fail_msg("refused: %s", good[i]);
        }
        assert_true(roles.count >= 1);
        assert_int_equal(roles.names[0].data[0], span_str(good[i]).data[span_find(span_str(good[i]), ':') + 1]);
    }
}

static void a_built_in_name_behind_role_is_a_role_that_nobody_has(void **state)
{
    (void)state;
    static const char *const names[] = {"role:admin", "role:user", "role:guest", "role:self", "role:public"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct rls_roles roles = {.count = 0};
        struct rls_program program;
        const struct rls_facts facts = {.user = true, .admin = true, .any_role = true, .role_count = 1};
        assert_null(rls_expression_compile(span_str(names[i]), &roles, &program));
        assert_int_equal(roles.count, 1);
        assert_int_equal(rls_evaluate(span_of(program.code, program.len), &facts), RLS_DENY);
    }
}

/* "user|user|...", count times. */
static struct span chain_of(const char *atom, size_t count, char *text, size_t room)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, room - len, "%s%s", i == 0 ? "" : "|", atom);
    }
    return span_of(text, len);
}

static void an_expression_has_512_bytes_and_not_one_more(void **state)
{
    (void)state;
    struct rls_roles roles = {.count = 0};
    struct rls_program program;
    char text[1024];
    const struct span longest = chain_of("self", 102, text, sizeof(text));
    assert_int_equal(longest.len, 509);
    memset(text + longest.len, ' ', 10);

    assert_null(rls_expression_compile(span_of(text, 512), &roles, &program));
    assert_int_equal(program.len, RLS_PROGRAM_MAX);
    assert_int_equal(RLS_PROGRAM_MAX, 204);
    assert_non_null(strstr(rls_expression_compile(span_of(text, 513), &roles, &program), "512"));
    const struct rls_facts nobody = {.user = false};
    assert_int_equal(rls_evaluate(span_of(program.code, program.len), &nobody), RLS_OWNER);
}

static void a_policy_names_128_roles_and_each_is_told_from_the_others(void **state)
{
    (void)state;
    struct rls_roles roles = {.count = 0};
    struct rls_program programs[RLS_ROLES_MAX];
    static char names[RLS_ROLES_MAX + 1][16];
    for (size_t i = 0; i < RLS_ROLES_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "role:r%zu", i);
        assert_null(rls_expression_compile(span_str(names[i]), &roles, &programs[i]));
        assert_null(rls_expression_compile(span_str(names[i]), &roles, &programs[i])); /* not a new one */
    }
    assert_int_equal(roles.count, RLS_ROLES_MAX);
    struct rls_program more;
    assert_non_null(strstr(rls_expression_compile(span_lit("role:one-more"), &roles, &more), "128"));
    assert_int_equal(roles.count, RLS_ROLES_MAX);

    for (size_t has = 0; has < RLS_ROLES_MAX; has++) {
        struct rls_facts facts = {.any_role = true, .role_count = RLS_ROLES_MAX};
        facts.roles[has / 64] = UINT64_C(1) << (has % 64);
        for (size_t i = 0; i < RLS_ROLES_MAX; i++) {
            const enum rls_verdict got = rls_evaluate(span_of(programs[i].code, programs[i].len), &facts);
            assert_int_equal(got, i == has ? RLS_ALLOW : RLS_DENY);
        }
    }
}

/* Everything is true of this one, so only a malformed program is denied. */
static const struct rls_facts omnipotent = {
    .user = true, .admin = true, .any_role = true, .role_count = 3, .roles = {UINT64_MAX, UINT64_MAX}};

static enum rls_verdict run(const uint8_t *code, size_t len)
{
    return rls_evaluate(span_of(code, len), &omnipotent);
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void a_program_that_is_none_denies(void **state)
{
    (void)state;
    const uint8_t good = RLS_CODE_ANYBODY;

    assert_int_equal(rls_evaluate(SPAN_NONE, &omnipotent), RLS_DENY);
    assert_int_equal(RUN(good), RLS_DENY);                            /* no END */
    assert_int_equal(RUN(good, RLS_CODE_OR), RLS_DENY);               /* nor here */
    assert_int_equal(RUN(good, RLS_CODE_OR, good), RLS_DENY);         /* nor here */
    assert_int_equal(RUN(RLS_CODE_END), RLS_DENY);                    /* no atom */
    assert_int_equal(RUN(good, RLS_CODE_OR, RLS_CODE_END), RLS_DENY); /* nor in the second term */
    assert_int_equal(RUN(RLS_CODE_OR, good, RLS_CODE_END), RLS_DENY); /* nor in the first */
    assert_int_equal(RUN(good, RLS_CODE_OR, RLS_CODE_OR, good, RLS_CODE_END), RLS_DENY);
    assert_int_equal(RUN(good, RLS_CODE_END, RLS_CODE_END), RLS_DENY); /* something behind the END */
    assert_int_equal(RUN(good, RLS_CODE_END, good), RLS_DENY);
    assert_int_equal(RUN(good, RLS_CODE_END, good, RLS_CODE_END), RLS_DENY);
    assert_int_equal(RUN(good, RLS_CODE_END, RLS_CODE_OR, good, RLS_CODE_END), RLS_DENY);
    assert_int_equal(RUN(good, RLS_CODE_END), RLS_ALLOW); /* and this one is */
}

static void every_byte_that_is_no_instruction_denies(void **state)
{
    (void)state;
    for (unsigned int byte = 0; byte < 256; byte++) {
        const bool atom = byte >= RLS_CODE_ANYBODY && byte <= RLS_CODE_ANY_ROLE && byte != RLS_CODE_SELF;
        const bool role = byte >= RLS_CODE_ROLE && byte < RLS_CODE_ROLE + omnipotent.role_count;
        const enum rls_verdict alone = byte == RLS_CODE_SELF ? RLS_OWNER : (atom || role ? RLS_ALLOW : RLS_DENY);

        assert_int_equal(RUN((uint8_t)byte, RLS_CODE_END), alone);

        const bool fine = alone != RLS_DENY;
        assert_int_equal(RUN((uint8_t)byte, RLS_CODE_OR, RLS_CODE_ANYBODY, RLS_CODE_END), fine ? RLS_ALLOW : RLS_DENY);
        const enum rls_verdict before = RUN(RLS_CODE_ANYBODY, RLS_CODE_OR, (uint8_t)byte, RLS_CODE_END);
        assert_int_equal(before, fine ? RLS_ALLOW : RLS_DENY);
        const enum rls_verdict within = RUN(RLS_CODE_ANYBODY, (uint8_t)byte, RLS_CODE_ANYBODY, RLS_CODE_END);
        const bool ends = byte == RLS_CODE_OR; /* two terms, both fine */
        assert_int_equal(within, ends ? RLS_ALLOW : alone);
    }
}

static void a_program_longer_than_any_expression_makes_denies(void **state)
{
    (void)state;
    uint8_t code[RLS_PROGRAM_MAX + 2];
    memset(code, RLS_CODE_ANYBODY, sizeof(code));
    code[RLS_PROGRAM_MAX - 1] = RLS_CODE_END;

    assert_int_equal(run(code, RLS_PROGRAM_MAX), RLS_ALLOW);
    assert_int_equal(run(code, RLS_PROGRAM_MAX + 1), RLS_DENY); /* what follows the END counts, though it is not read */
    code[RLS_PROGRAM_MAX - 1] = RLS_CODE_ANYBODY;
    code[RLS_PROGRAM_MAX] = RLS_CODE_END;
    assert_int_equal(run(code, RLS_PROGRAM_MAX + 1), RLS_DENY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_expression_of_up_to_four_atoms_means_what_it_says),
        cmocka_unit_test(only_the_grammar_is_an_expression),
        cmocka_unit_test(names_of_roles_may_hold_what_the_grammar_says),
        cmocka_unit_test(a_built_in_name_behind_role_is_a_role_that_nobody_has),
        cmocka_unit_test(an_expression_has_512_bytes_and_not_one_more),
        cmocka_unit_test(a_policy_names_128_roles_and_each_is_told_from_the_others),
        cmocka_unit_test(a_program_that_is_none_denies),
        cmocka_unit_test(every_byte_that_is_no_instruction_denies),
        cmocka_unit_test(a_program_longer_than_any_expression_makes_denies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
