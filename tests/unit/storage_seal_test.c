/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody with the disk: reads it, changes it, puts old parts back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "hal/base/fault.h"
#include "storage/fsck.h"
#include "storage/meta_int.h"
#include "storage/seal_int.h"
#include "tests/lib/store_raw.h"

/* One table with an index over column 1 (id 2; the owner's is 1), and three rows. */
struct disk {
    struct store_box *box;
    struct table_id table;
    struct index_id index;
    struct row_id ids[3];
    unsigned int damages[FSCK_KIND_COUNT];
};

static int setup(void **state)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    disk->box = store_box_new();
    disk->table = store_box_table(disk->box);
    disk->index = store_box_index(disk->box, disk->table, 1, false, false, false);
    for (int64_t at = 0; at < 3; at++) {
        disk->ids[at] = store_box_insert(disk->box, disk->table, "ann-the-owner", "text-of-a-row", at);
    }
    *state = disk;
    return 0;
}

static int teardown(void **state)
{
    struct disk *disk = *state;

    store_box_free(disk->box);
    free(disk);
    fault_clear();
    return 0;
}

static enum err get(struct disk *disk, size_t at)
{
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;

    assert_int_equal(store_snap_begin(disk->box->reader, &snap), ERR_OK);
    return store_get(snap, disk->table, disk->ids[at], &row);
}

static void note(void *context, const struct fsck_damage *damage)
{
    struct disk *disk = context;

    disk->damages[damage->kind]++;
}

/* fsck names this damage, and (unless also == kind) that one, and nothing else. */
static void assert_damage(struct disk *disk, enum fsck_kind kind, enum fsck_kind also)
{
    struct fsck_report report = {.rows = 0};

    memset(disk->damages, 0, sizeof(disk->damages));
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    for (unsigned int at = 0; at < FSCK_KIND_COUNT; at++) {
        const bool expected = at == kind || at == also;
        if ((disk->damages[at] > 0) != expected) {
            fail_msg("%s: %u damages", fsck_kind_name((enum fsck_kind)at), disk->damages[at]);
        }
    }
}

static struct raw find_row(struct disk *disk, size_t at)
{
    struct raw raw = {.key_len = 0};
    const struct raw_prefix prefix = raw_table(disk->table);

    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_ROWS, RAW_SPAN(prefix), at, &raw));
    return raw;
}

static void put_row(struct disk *disk, const struct raw *raw)
{
    store_box_close(disk->box);
    raw_put(disk->box, ENGINE_ROWS, raw);
    assert_int_equal(store_box_open(disk->box), ERR_OK);
}

/* --- values --- */

static void attack_19_a_row_with_any_byte_changed_does_not_open(void **state)
{
    struct disk *disk = *state;
    const struct raw raw = find_row(disk, 0);

    for (size_t at = 0; at < raw.value_len; at++) {
        struct raw changed = raw;
        changed.value[at] ^= (uint8_t)(1u << (at % 8));
        put_row(disk, &changed);
        assert_int_equal(get(disk, 0), ERR_DAMAGED);
        assert_int_equal(get(disk, 1), ERR_OK);
    }
    put_row(disk, &raw);
    assert_int_equal(get(disk, 0), ERR_OK);
}

static void attack_19_a_row_cut_at_any_length_does_not_open(void **state)
{
    struct disk *disk = *state;
    const struct raw raw = find_row(disk, 0);

    for (size_t len = 0; len < raw.value_len; len += 3) {
        struct raw changed = raw;
        changed.value_len = len;
        put_row(disk, &changed);
        assert_int_equal(get(disk, 0), ERR_DAMAGED);
    }
}

/* --- the formats, opened by hand: what another hand cannot open is not what the architecture says --- */

/* Opens a sealed value of the table with its key, as made by the keeper. Gives the length of the plaintext. */
static size_t open_by_hand(struct disk *disk, struct span sealed, struct span place, uint32_t kind, uint8_t *out_plain)
{
    SCOPED_SECRET struct secret *table_key = NULL;
    struct aead *aead = NULL;
    struct raw salt = {.key_len = 0};
    uint8_t aad[4 + ENGINE_KEY_MAX + 4];
    uint8_t nonce[AEAD_NONCE_BYTES];
    struct raw_prefix name = raw_meta(META_EPOCH, disk->table);
    uint8_t salt_name[9];
    const size_t len = sealed.len - 4 - 8 - AEAD_TAG_BYTES;

    assert_int_equal(name.len, 5);
    memcpy(salt_name, name.bytes, 5);
    memcpy(salt_name + 5, sealed.data, 4);
    assert_true(raw_find(disk->box, ENGINE_META, span_array(salt_name), 0, &salt));
    put_u32be(aad, disk->table.value);
    memcpy(aad + 4, place.data, place.len);
    put_u32be(aad + 4 + place.len, kind);
    put_u32be(nonce, kind);
    memcpy(nonce + 4, sealed.data + 4, 8);
    assert_int_equal(secret_new_copy(span_array(disk->box->keeper.made[1]), &table_key), ERR_OK);
    assert_int_equal(aead_new_derived(disk->box->slab, table_key, span_of(salt.value, salt.value_len),
                                      span_lit("rowlock epoch key"), &aead),
                     ERR_OK);
    const enum err err = aead_open(aead, nonce, span_of(aad, 8 + place.len), span_of(sealed.data + 12, len),
                                   sealed.data + 12 + len, out_plain);
    aead_free(aead);
    assert_int_equal(err, ERR_OK);
    return len;
}

static void a_sealed_row_is_epoch_counter_ciphertext_and_tag_over_table_row_and_kind(void **state)
{
    struct disk *disk = *state;
    const struct raw raw = find_row(disk, 0);
    uint8_t plain[RAW_VALUE_MAX];
    struct row row;

    const size_t len =
        open_by_hand(disk, span_of(raw.value, raw.value_len), span_array(disk->ids[0].bytes), SEAL_ROW, plain);

    assert_int_equal(row_read(disk->ids[0], span_of(plain, len), &row), ERR_OK);
    assert_true(span_equal(store_box_text(&row), span_lit("text-of-a-row")));
}

/* sum += term, both of 256 bits. */
static void add_256(uint8_t sum[32], const uint8_t term[32])
{
    unsigned int carry = 0;

    for (size_t at = 32; at-- > 0;) {
        carry += (unsigned int)sum[at] + term[at];
        sum[at] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void the_freshness_hash_is_the_sum_of_macs_over_key_epoch_counter_and_tag(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix name = raw_meta(META_COUNT, disk->table);
    SCOPED_SECRET struct secret *table_key = NULL;
    SCOPED_SECRET struct secret *key = NULL;
    struct raw count = {.key_len = 0};
    uint8_t plain[RAW_VALUE_MAX];
    uint8_t expected[8 + 32] = {[7] = 3}; /* rows, sum */
    assert_int_equal(secret_new_copy(span_array(disk->box->keeper.made[1]), &table_key), ERR_OK);
    assert_int_equal(hkdf_sha256(table_key, SPAN_NONE, span_lit("rowlock freshness key"), 32, &key), ERR_OK);

    for (size_t at = 0; at < 3; at++) {
        const struct raw raw = find_row(disk, at);
        uint8_t text[ENGINE_KEY_MAX + 12 + 16];
        uint8_t mac[32];
        memcpy(text, raw.key, raw.key_len);
        memcpy(text + raw.key_len, raw.value, 12);
        memcpy(text + raw.key_len + 12, raw.value + raw.value_len - 16, 16);
        hmac_sha256(secret_reveal(key), span_of(text, raw.key_len + 28), mac);
        add_256(expected + 8, mac);
    }
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(name), 0, &count));
    const size_t len = open_by_hand(disk, span_of(count.value, count.value_len), span_of(count.key, count.key_len),
                                    SEAL_COUNT, plain);

    assert_int_equal(len, sizeof(expected));
    assert_memory_equal(plain, expected, sizeof(expected));
}

static void attack_19_a_row_moved_to_another_id_does_not_open(void **state)
{
    struct disk *disk = *state;
    struct raw raw = find_row(disk, 0);

    memcpy(raw.key + 4, disk->ids[1].bytes, ROW_ID_BYTES);
    put_row(disk, &raw);

    assert_int_equal(get(disk, 1), ERR_DAMAGED);
    struct fsck_report report = {.rows = 0};
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    assert_int_equal(disk->damages[FSCK_ROW_TAG], 1);
    assert_int_equal(disk->damages[FSCK_FRESHNESS], 1);
    assert_int_equal(disk->damages[FSCK_INDEX_EXTRA], 2); /* its entries speak of a row that nobody can read */
}

static void attack_19_a_row_moved_to_another_table_does_not_open(void **state)
{
    struct disk *disk = *state;
    const struct table_id other = store_box_table(disk->box);
    const struct row_id theirs = store_box_insert(disk->box, other, "ann-the-owner", "text-of-a-row", 9);
    struct raw raw = find_row(disk, 0);
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct row row;

    put_u32be(raw.key, other.value);
    put_row(disk, &raw);

    assert_int_equal(store_snap_begin(disk->box->reader, &snap), ERR_OK);
    assert_int_equal(store_get(snap, other, disk->ids[0], &row), ERR_DAMAGED);
    assert_int_equal(store_get(snap, other, theirs, &row), ERR_OK);
}

static void attack_19_the_disk_of_another_box_does_not_open(void **state)
{
    struct disk *disk = *state;

    store_box_close(disk->box);
    disk->box->keeper.seed = 2;
    assert_int_equal(store_box_open(disk->box), ERR_AUTH);
    store_box_close(disk->box);
    disk->box->keeper.seed = 1;
    assert_int_equal(store_box_open(disk->box), ERR_OK);
}

static void attack_19_wrapped_keys_that_change_places_do_not_open(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix mine = raw_meta('K', disk->table);
    const struct raw_prefix theirs = raw_meta('K', store_box_table(disk->box));
    struct raw raw = {.key_len = 0};

    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(theirs), 0, &raw));
    memcpy(raw.key, mine.bytes, mine.len);
    raw_put(disk->box, ENGINE_META, &raw);

    assert_int_equal(store_box_open(disk->box), ERR_AUTH);
}

static void attack_19_another_salt_opens_nothing(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix prefix = raw_meta('E', disk->table);
    struct raw raw = {.key_len = 0};

    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(prefix), 0, &raw));
    raw.value[5] ^= 1;
    raw_put(disk->box, ENGINE_META, &raw);
    assert_int_equal(store_box_open(disk->box), ERR_DAMAGED); /* the definition lies under that epoch as well */
}

static void attack_19_a_table_taken_out_whole_is_missed(void **state)
{
    static const char kinds[] = {'K', 'E', 'D', 'C'};
    struct disk *disk = *state;
    const struct table_id empty = store_box_table(disk->box);

    store_box_close(disk->box);
    for (size_t at = 0; at < sizeof(kinds); at++) {
        const struct raw_prefix prefix = raw_meta(kinds[at], empty);
        raw_delete(disk->box, ENGINE_META, RAW_SPAN(prefix), 0);
    }

    assert_int_equal(store_box_open(disk->box), ERR_DAMAGED);
}

/* --- freshness --- */

static void attack_19_an_old_version_of_a_row_put_back_is_found(void **state)
{
    struct disk *disk = *state;
    const struct raw old = find_row(disk, 1);
    assert_int_equal(store_box_open(disk->box), ERR_OK);
    assert_int_equal(store_box_replace(disk->box, disk->table, disk->ids[1], "ann-the-owner", "text-of-a-row", 77),
                     ERR_OK);

    put_row(disk, &old);

    assert_damage(disk, FSCK_FRESHNESS, FSCK_FRESHNESS);
    store_box_close(disk->box);
    disk->box->config.verify = &disk->table;
    disk->box->config.verify_count = 1;
    assert_int_equal(store_box_open(disk->box), ERR_ROLLBACK);
}

static void attack_19_a_deleted_row_put_back_is_found(void **state)
{
    struct disk *disk = *state;
    const struct raw old = find_row(disk, 1);
    assert_int_equal(store_box_open(disk->box), ERR_OK);
    assert_int_equal(store_box_delete(disk->box, disk->table, disk->ids[1]), ERR_OK);

    put_row(disk, &old);

    memset(disk->damages, 0, sizeof(disk->damages));
    struct fsck_report report = {.rows = 0};
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    assert_int_equal(disk->damages[FSCK_COUNT], 1);
    assert_int_equal(disk->damages[FSCK_FRESHNESS], 1);
    assert_int_equal(disk->damages[FSCK_INDEX_MISSING], 2);
    assert_int_equal(report.damaged, 4);
}

static void attack_19_a_row_taken_out_is_found(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix prefix = raw_table(disk->table);

    store_box_close(disk->box);
    raw_delete(disk->box, ENGINE_ROWS, RAW_SPAN(prefix), 2);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    memset(disk->damages, 0, sizeof(disk->damages));
    struct fsck_report report = {.rows = 0};
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    assert_int_equal(disk->damages[FSCK_COUNT], 1);
    assert_int_equal(disk->damages[FSCK_FRESHNESS], 1);
    assert_int_equal(disk->damages[FSCK_INDEX_EXTRA], 2);
}

static void attack_19_the_untouched_table_passes_its_check_at_start(void **state)
{
    struct disk *disk = *state;

    store_box_close(disk->box);
    disk->box->config.verify = &disk->table;
    disk->box->config.verify_count = 1;
    assert_int_equal(store_box_open(disk->box), ERR_OK);
    assert_int_equal(store_box_fsck(disk->box, true), 0);
}

/* --- indexes --- */

static enum err scan_index(struct disk *disk)
{
    const struct row_value text = {.type = ROW_STRING, .bytes = span_lit("text-of-a-row")};
    SCOPED_SNAP struct store_snap *snap = NULL;
    struct store_budget budget = {.steps = 100};
    struct row row;

    assert_int_equal(store_snap_begin(disk->box->reader, &snap), ERR_OK);
    assert_int_equal(
        store_scan_begin(
            snap, &(struct store_scan){.table = disk->table, .index = disk->index, .equal = &text, .equal_count = 1}),
        ERR_OK);
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        err = store_scan_next(snap, &budget, &row);
    }
    return err;
}

static void an_index_entry_that_does_not_open_stops_a_scan_and_a_write(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix prefix = raw_index(disk->index);
    struct raw raw = {.key_len = 0};
    assert_int_equal(scan_index(disk), ERR_NOT_FOUND);
    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_INDEX, RAW_SPAN(prefix), 1, &raw));
    raw_delete(disk->box, ENGINE_INDEX, RAW_SPAN(prefix), 1);
    raw.key[raw.key_len - 1] ^= 1;
    raw_put(disk->box, ENGINE_INDEX, &raw);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    assert_int_equal(scan_index(disk), ERR_DAMAGED);
    assert_int_equal(store_box_replace(disk->box, disk->table, disk->ids[0], "ann-the-owner", "new text", 5),
                     ERR_DAMAGED);
    assert_damage(disk, FSCK_INDEX_TAG, FSCK_INDEX_TAG);
}

static void fsck_misses_an_index_entry_that_was_taken_out(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix prefix = raw_index(disk->index);

    store_box_close(disk->box);
    raw_delete(disk->box, ENGINE_INDEX, RAW_SPAN(prefix), 0);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    assert_damage(disk, FSCK_INDEX_MISSING, FSCK_INDEX_MISSING);
}

static void fsck_finds_an_old_index_entry_that_was_put_back(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix prefix = raw_index(disk->index);
    struct raw old = {.key_len = 0};
    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_INDEX, RAW_SPAN(prefix), 0, &old));
    assert_int_equal(store_box_open(disk->box), ERR_OK);
    assert_int_equal(store_box_replace(disk->box, disk->table, disk->ids[0], "ann-the-owner", "new text", 5), ERR_OK);

    store_box_close(disk->box);
    raw_put(disk->box, ENGINE_INDEX, &old);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    struct fsck_report report = {.rows = 0};
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    assert_int_equal(disk->damages[FSCK_INDEX_EXTRA], 1);
}

/* --- counters and the rest --- */

static void roll_back_record(struct disk *disk, char kind)
{
    const struct raw_prefix prefix = raw_meta(kind, disk->table);
    struct raw old = {.key_len = 0};

    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(prefix), 0, &old));
    assert_int_equal(store_box_open(disk->box), ERR_OK);
    (void)store_box_insert(disk->box, disk->table, "ann-the-owner", "one more", 3);
    store_box_close(disk->box);
    raw_put(disk->box, ENGINE_META, &old);
    assert_int_equal(store_box_open(disk->box), ERR_OK);
}

static void attack_19_a_counter_of_yesterday_is_found(void **state)
{
    struct disk *disk = *state;

    roll_back_record(disk, 'C');

    assert_damage(disk, FSCK_COUNT, FSCK_FRESHNESS);
}

static void attack_19_an_owners_counter_of_yesterday_is_found(void **state)
{
    struct disk *disk = *state;

    roll_back_record(disk, 'O');

    assert_damage(disk, FSCK_OWNER_COUNT, FSCK_OWNER_COUNT);
}

static void fsck_finds_records_that_do_not_open_or_belong_to_nothing(void **state)
{
    struct disk *disk = *state;
    const struct raw_prefix owner = raw_meta('O', disk->table);
    struct raw raw = {.key_len = 0};
    store_box_close(disk->box);
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(owner), 0, &raw));
    raw.key[8] ^= 1; /* another owner */
    raw_put(disk->box, ENGINE_META, &raw);
    raw.key[1] ^= 1; /* another table */
    raw_put(disk->box, ENGINE_META, &raw);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    struct fsck_report report = {.rows = 0};
    assert_int_equal(fsck_run(disk->box->store, note, disk, &report), ERR_OK);
    assert_int_equal(disk->damages[FSCK_META], 1);
    assert_int_equal(disk->damages[FSCK_ORPHAN], 1);
    assert_int_equal(disk->damages[FSCK_OWNER_COUNT], 1);
}

static void fsck_finds_rows_and_entries_of_no_table(void **state)
{
    struct disk *disk = *state;
    struct raw raw = find_row(disk, 0);
    raw.key[0] = 0x7f;
    raw_put(disk->box, ENGINE_ROWS, &raw);
    raw_put(disk->box, ENGINE_INDEX, &raw);
    assert_int_equal(store_box_open(disk->box), ERR_OK);

    assert_damage(disk, FSCK_ORPHAN, FSCK_ORPHAN);
    assert_int_equal(disk->damages[FSCK_ORPHAN], 2);
}

/* --- the thief --- */

static bool file_holds(const char *path, struct span what)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static uint8_t bytes[8 << 20];
    const size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);

    return memmem(bytes, len, what.data, what.len) != NULL;
}

static void attack_19_a_thief_of_the_files_finds_no_value_and_no_key(void **state)
{
    struct disk *disk = *state;
    const char *const values[] = {"ann-the-owner", "text-of-a-row"};
    char path[TEMP_PATH_MAX + 16];
    store_box_close(disk->box);
    snprintf(path, sizeof(path), "%s/data.mdb", disk->box->path);

    for (size_t at = 0; at < ARRAY_LENGTH(values); at++) {
        assert_false(file_holds(path, span_str(values[at])));
    }
    assert_true(disk->box->keeper.new_keys >= 2);
    for (size_t at = 0; at < disk->box->keeper.new_keys; at++) {
        assert_false(file_holds(path, span_array(disk->box->keeper.made[at])));
    }
    const struct raw_prefix prefix = raw_meta('E', disk->table);
    struct raw salt = {.key_len = 0};
    assert_true(raw_find(disk->box, ENGINE_META, RAW_SPAN(prefix), 0, &salt));
    assert_true(file_holds(path, span_of(salt.value, salt.value_len))); /* the search does find what is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attack_19_a_row_with_any_byte_changed_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_row_cut_at_any_length_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sealed_row_is_epoch_counter_ciphertext_and_tag_over_table_row_and_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(the_freshness_hash_is_the_sum_of_macs_over_key_epoch_counter_and_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_row_moved_to_another_id_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_row_moved_to_another_table_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_the_disk_of_another_box_does_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_wrapped_keys_that_change_places_do_not_open, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_another_salt_opens_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_table_taken_out_whole_is_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_an_old_version_of_a_row_put_back_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_deleted_row_put_back_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_row_taken_out_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_the_untouched_table_passes_its_check_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_entry_that_does_not_open_stops_a_scan_and_a_write, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_misses_an_index_entry_that_was_taken_out, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_finds_an_old_index_entry_that_was_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_counter_of_yesterday_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_an_owners_counter_of_yesterday_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_finds_records_that_do_not_open_or_belong_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(fsck_finds_rows_and_entries_of_no_table, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_thief_of_the_files_finds_no_value_and_no_key, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
