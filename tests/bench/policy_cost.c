/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a decision costs beside what no request is spared, the opening of one sealed row: CPU nanoseconds of
 *   - one AES-256-GCM open of 256 bytes, as the store does it,
 *   - binding a requester to a policy and deciding one operation: with a permission matrix, with five expressions, and
 *     with three column rules and three row filters besides,
 *   - asking one row that is shown: owner and a row filter with three conditions,
 *   - compiling the largest of these policies from its parsed JSON.
 * The workloads take turns in slices of some milliseconds, and of each the best slice counts, so that all of them see the
 * machine at its best. Prints the numbers in the order above on one line. With an argument, a workload's number from 0,
 * it runs that one alone ROUNDS times without measuring: for counting its instructions. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/aead.h"
#include "crypto/crypto.h"
#include "firmware/data/policy_filters.h"
#include "firmware/data/row_gate.h"
#include "firmware/data/row_json.h"
#include "firmware/data/schema_json.h"
#include "net/json.h"

#define SEALED_BYTES 256
#define ROUNDS       10000u
#define SLICES       40
#define STEPS        1000000
#define OWNER        "6f1c2d3e-0000-4000-8000-000000000001"

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != ERR_OK) {                                                                                        \
            fprintf(stderr, "failed: %s\n", #call);                                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define SCHEMA "{\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"string\"},\"body\":{\"type\":\"string\"}," \
               "\"views\":{\"type\":\"number\"}}"
#define ROW    "{\"title\":\"a headline of ordinary length\",\"status\":\"published\",\"views\":12,\"body\":\"" \
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"
#define EXPRESSIONS "\"expressionPermissions\":{\"create\":\"user\",\"read\":\"user|role:editor\",\"update\":\"self|admin\"," \
                    "\"delete\":\"self&role:editor|admin\",\"list\":\"user|role:editor\"}"
#define COLUMNS "\"columnPermissions\":{\"body\":{\"read\":\"user\",\"write\":\"self\"},\"status\":{\"read\":\"user|role:editor\"}," \
                "\"title\":{\"read\":\"public\",\"write\":\"self|role:editor\"}}"
#define FILTERS "\"rowFilters\":[{\"expression\":\"role:editor\",\"filter\":{}},{\"expression\":\"self\",\"filter\":{\"title\":\"x\"}}," \
                "{\"expression\":\"user\",\"filter\":{\"status\":\"published\"}}]"
#define THREE "\"rowFilters\":[{\"expression\":\"user\",\"filter\":{\"status\":\"published\",\"views\":{\"$gte\":10}," \
              "\"createdBy\":\"$userId\"}}]"

static const char *const policy_texts[] = {
    "{\"permissions\":{\"user\":{\"read\":true,\"list\":true},\"guest\":{\"read\":true},\"self\":{\"update\":true}}}",
    "{" EXPRESSIONS "}",
    "{" EXPRESSIONS "," COLUMNS "," FILTERS "}",
    "{" EXPRESSIONS "," THREE "}",
};
enum { MATRIX, EXPRESSION, FULL, RESIDUAL, POLICIES };

static struct {
    struct arena *arena;
    struct aead *aead;
    uint8_t nonce[AEAD_NONCE_BYTES], cipher[SEALED_BYTES], tag[AEAD_TAG_BYTES], opened[SEALED_BYTES];
    const struct json_value *json[POLICIES];
    struct rls_policy *policies[POLICIES];
    struct policy_filters *filters;
    struct rls_bound bound;
    struct row_gate gate;
    struct row row;
} bench;

static const struct span roles[] = {{(const uint8_t *)"author", 6}};
static struct rls_who who = {.group = RLS_USER, .id = {(const uint8_t *)OWNER, sizeof OWNER - 1}, .roles = roles, .role_count = 1};

static const struct json_value *parse(const char *text)
{
    const struct json_value *value = NULL;

    MUST(json_parse(span_str(text), bench.arena, &value));
    return value;
}

static void set_up_crypto(void)
{
    static const uint8_t plain[SEALED_BYTES] = {1, 2, 3};
    struct secret_slab *slab = NULL;
    struct secret *key = NULL;

    MUST(crypto_start());
    MUST(crypto_slab_new(&slab));
    MUST(secret_new_copy(span_lit("0123456789abcdef0123456789abcdef"), &key));
    MUST(aead_new(slab, key, &bench.aead));
    MUST(aead_seal(bench.aead, bench.nonce, span_lit("table 7, row 12."), span_array(plain), bench.cipher, bench.tag));
}

static struct rls_bound bind(const struct rls_policy *policy)
{
    const struct rls_table table = {.name = span_lit("posts"), .policy = policy};
    struct rls_bound bound;

    rls_bind(&table, &who, &bound);
    return bound;
}

static void set_up_row(const struct schema *schema)
{
    struct buf *buf = NULL;
    struct span encoded;

    MUST(buf_new(ROW_BYTES_MAX, &buf));
    const struct row_write write = {.arena = bench.arena, .schema = schema, .now = {1767323045678}, .out = buf};
    MUST(row_json_create(&write, parse(ROW), who.id, &encoded));
    MUST(row_read((struct row_id){{1}}, encoded, &bench.row));
}

static void set_up(void)
{
    struct schema *schema = NULL;
    struct regex_work *work = NULL;
    struct schema_problem schema_problem;
    struct rls_problem problem;

    set_up_crypto();
    MUST(arena_new(1 << 16, 1 << 24, &bench.arena));
    MUST(schema_new(parse(SCHEMA), SPAN_NONE, &schema_json_matcher, &schema, &schema_problem));
    for (size_t i = 0; i < POLICIES; i++) {
        bench.json[i] = parse(policy_texts[i]);
        MUST(rls_compile(bench.json[i], policy_json_text, &bench.policies[i], &problem));
    }
    MUST(policy_filters_new(bench.policies[RESIDUAL], schema, &bench.filters, &problem));
    MUST(regex_work_new(bench.arena, STEPS, &work));
    set_up_row(schema);
    bench.bound = bind(bench.policies[RESIDUAL]);
    const struct row_gate_input gate = {.bound = &bench.bound,
                                        .filters = bench.filters,
                                        .op = RLS_LIST,
                                        .verdict = rls_decide(&bench.bound, RLS_LIST).verdict,
                                        .work = work};
    bench.gate = row_gate_of(&gate);
}

/* --- workloads --- */

static void run_open(void)
{
    MUST(aead_open(bench.aead, bench.nonce, span_lit("table 7, row 12."), span_array(bench.cipher), bench.tag, bench.opened));
}

static void decide(size_t policy)
{
    const struct rls_table table = {.name = span_lit("posts"), .policy = bench.policies[policy]};

    rls_bind(&table, &who, &bench.bound);
    MUST(rls_decide(&bench.bound, RLS_READ).verdict == RLS_ALLOW ? ERR_OK : ERR_DENIED);
}

static void run_matrix(void)
{
    decide(MATRIX);
}

static void run_expression(void)
{
    decide(EXPRESSION);
}

static void run_full(void)
{
    decide(FULL);
}

static void run_residual(void)
{
    bool passes = false;

    MUST(row_gate_passes(&bench.gate, &bench.row, &passes));
    MUST(passes ? ERR_OK : ERR_DENIED);
}

static void run_compile(void)
{
    struct rls_policy *policy = NULL;
    struct rls_problem problem;

    MUST(rls_compile(bench.json[FULL], policy_json_text, &policy, &problem));
    rls_policy_free(policy);
}

static const struct {
    void (*run)(void);
    unsigned int rounds; /* of a slice */
} workloads[] = {
    {run_open, ROUNDS},       {run_matrix, ROUNDS},   {run_expression, ROUNDS},
    {run_full, ROUNDS},       {run_residual, ROUNDS}, {run_compile, ROUNDS / 100},
};
#define WORKLOADS (sizeof workloads / sizeof workloads[0])

static double cpu_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static double slice_ns(size_t workload)
{
    const double start = cpu_ns();

    for (unsigned int i = 0; i < workloads[workload].rounds; i++) {
        workloads[workload].run();
    }
    return (cpu_ns() - start) / workloads[workload].rounds;
}

/* The gate of run_residual is of this policy; run_matrix and its like bind others. */
static void prepare(size_t workload)
{
    if (workloads[workload].run == run_residual) {
        bench.bound = bind(bench.policies[RESIDUAL]);
    }
}

int main(int argc, char **argv)
{
    double best[WORKLOADS];

    set_up();
    if (argc == 2) {
        const size_t workload = strtoul(argv[1], NULL, 10) % WORKLOADS;
        prepare(workload);
        (void)slice_ns(workload);
        return 0;
    }
    for (size_t i = 0; i < SLICES * WORKLOADS; i++) {
        const size_t workload = i % WORKLOADS;
        prepare(workload);
        const double ns = slice_ns(workload);
        best[workload] = i < WORKLOADS || ns < best[workload] ? ns : best[workload];
    }
    for (size_t i = 0; i < WORKLOADS; i++) {
        printf("%.2f ", best[i]);
    }
    printf("\n");
    return 0;
}
