/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The yardstick for scans: N records of the size of the benchmark's rows, sealed with AES-256-GCM in a bare LMDB
 * database, walked with a cursor and opened one by one. No row codec, no policy, no filter, no JSON. Prints rows per
 * second and CPU microseconds per row, each of the best of three walks. */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>

#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLAIN_BYTES 240
#define VALUE_BYTES (12 + PLAIN_BYTES + 16)
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != 0) {                                                                                             \
            fprintf(stderr, "failed: %s\n", #call);                                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static double now(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void fill(MDB_env *env, Aes *aes, uint32_t rows)
{
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    uint8_t plain[PLAIN_BYTES];
    uint8_t value[VALUE_BYTES] = {0};

    memset(plain, 'x', sizeof plain);
    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    MUST(mdb_dbi_open(txn, NULL, 0, &dbi));
    for (uint32_t i = 0; i < rows; i++) {
        uint8_t key[16] = {0};
        MDB_val stored_key = {sizeof key, key};
        MDB_val stored = {sizeof value, value};

        for (size_t b = 0; b < 4; b++) {
            key[4 + b] = (uint8_t)(i >> (24 - 8 * b));
            value[8 + b] = (uint8_t)(i >> (24 - 8 * b));
        }
        MUST(wc_AesGcmEncrypt(aes, value + 12, plain, PLAIN_BYTES, value, 12, value + 12 + PLAIN_BYTES, 16, key, 16));
        MUST(mdb_put(txn, dbi, &stored_key, &stored, MDB_APPEND));
    }
    MUST(mdb_txn_commit(txn));
}

/* Answers the seconds and CPU seconds of one row, if they are less than those of walks before. */
static void walk(MDB_env *env, Aes *aes, double *seconds, double *cpu_seconds)
{
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    uint8_t plain[PLAIN_BYTES];
    unsigned long rows = 0;
    const double start = now(CLOCK_MONOTONIC);
    const double cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);

    MUST(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    MUST(mdb_dbi_open(txn, NULL, 0, &dbi));
    MUST(mdb_cursor_open(txn, dbi, &cursor));
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        const uint8_t *const bytes = value.mv_data;

        MUST(wc_AesGcmDecrypt(aes, plain, bytes + 12, PLAIN_BYTES, bytes, 12, bytes + 12 + PLAIN_BYTES, 16,
                              key.mv_data, 16));
        rows++;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    const double per_row = (now(CLOCK_MONOTONIC) - start) / (double)rows;
    const double cpu_per_row = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / (double)rows;
    *seconds = per_row < *seconds ? per_row : *seconds;
    *cpu_seconds = cpu_per_row < *cpu_seconds ? cpu_per_row : *cpu_seconds;
}

int main(int argc, char **argv)
{
    static const uint8_t secret[32] = {1, 2, 3};
    MDB_env *env = NULL;
    Aes aes;
    double seconds = 1;
    double cpu_seconds = 1;
    char path[4096];

    if (argc != 3) {
        fprintf(stderr, "usage: scan_bare FOLDER ROWS\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/scan.mdb", argv[1]);
    remove(path);
    MUST(wc_AesInit(&aes, NULL, INVALID_DEVID));
    MUST(wc_AesGcmSetKey(&aes, secret, sizeof secret));
    MUST(mdb_env_create(&env));
    MUST(mdb_env_set_mapsize(env, (size_t)1 << 30));
    MUST(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOSYNC, 0600)); /* only the walk is measured */
    fill(env, &aes, (uint32_t)strtoul(argv[2], NULL, 10));
    for (int i = 0; i < 3; i++) {
        walk(env, &aes, &seconds, &cpu_seconds);
    }
    printf("%.1f %.4f\n", 1 / seconds, cpu_seconds * 1e6);
    mdb_env_close(env);
    wc_AesFree(&aes);
    return 0;
}
