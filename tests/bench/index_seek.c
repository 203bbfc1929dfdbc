/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a seek in a sealed index costs: CPU microseconds of one that finds nothing, so that no row is opened, among ENTRIES
 * entries sealed under one epoch and among as many under ten, mixed so that each way down the tree meets all of them. The
 * two stores take turns, and of each the best turn counts. Prints both on one line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/crypto.h"
#include "tests/lib/store_box.h"

#define ENTRIES   200000u /* as in architecture section 5 */
#define GROUP     500u
#define EPOCHS    10u
#define SEEKS     20000u
#define TURNS     15u
#define MAP_BYTES ((uint64_t)1 << 30)
#define SPREAD    2654435761u /* odd: neighbours in time lie far apart in the index */

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != ERR_OK) {                                                                                        \
            fprintf(stderr, "failed: %s\n", #call);                                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

struct place {
    struct store_box *box;
    struct table_id table;
    struct index_id index;
    double best_us;
};

static double now_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

/* Even numbers only: what is odd is looked for. */
static int64_t number_of(uint32_t i)
{
    return (int64_t)(i * SPREAD) * 2;
}

static void insert(struct place *place, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to;) {
        struct store_txn *txn = NULL;

        MUST(store_txn_begin(place->box->sealer, &txn));
        for (uint32_t in_group = 0; in_group < GROUP && i < to; in_group++, i++) {
            const struct row_id id = store_txn_row_id(txn, (struct wall_time){INT64_C(1700000000000)});
            MUST(store_insert(txn, place->table, id, store_box_row(place->box, "o", "t", number_of(i)), NULL));
        }
        MUST(store_txn_commit(txn));
    }
}

/* A sealer that is opened again makes an epoch of its own. */
static void fill(struct place *place, uint32_t epochs)
{
    place->box = store_box_new();
    place->box->map_bytes = MAP_BYTES;
    store_box_reopen(place->box);
    place->table = store_box_table(place->box);
    place->index = store_box_index(place->box, place->table, 2, false, true, false);
    for (uint32_t epoch = 0; epoch < epochs; epoch++) {
        if (epoch != 0) {
            store_box_reopen(place->box);
        }
        insert(place, epoch * (ENTRIES / epochs), (epoch + 1) * (ENTRIES / epochs));
    }
    if (store_box_epochs(place->box, place->table) != epochs) {
        fprintf(stderr, "failed: other epochs than %u\n", epochs);
        exit(1);
    }
    place->best_us = 0;
}

static void measure(struct place *place, uint32_t *seed)
{
    struct store_snap *snap = NULL;
    struct row row;

    MUST(store_snap_begin(place->box->reader, &snap));
    const double from = now_us();
    for (uint32_t i = 0; i < SEEKS; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        const struct row_value value = {.type = ROW_INT, .integer = (int64_t)*seed * 2 + 1};
        const struct store_scan scan = {.table = place->table, .index = place->index, .equal = &value, .equal_count = 1};
        struct store_budget budget = {.steps = 10};
        MUST(store_scan_begin(snap, &scan));
        if (store_scan_next(snap, &budget, &row) != ERR_NOT_FOUND) {
            fprintf(stderr, "failed: a number that is not there\n");
            exit(1);
        }
    }
    const double us = (now_us() - from) / SEEKS;
    store_snap_end(snap);
    if (place->best_us <= 0 || us < place->best_us) {
        place->best_us = us;
    }
}

int main(void)
{
    struct place one = {.box = NULL};
    struct place ten = {.box = NULL};
    uint32_t seed = 1;

    MUST(crypto_start());
    fill(&one, 1);
    fill(&ten, EPOCHS);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        measure(&one, &seed);
        measure(&ten, &seed);
    }
    printf("%.2f %.2f\n", one.best_us, ten.best_us);
    store_box_free(one.box);
    store_box_free(ten.box);
    return 0;
}
