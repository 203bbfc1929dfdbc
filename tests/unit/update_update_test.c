/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Update files: what the key signed for this board arrives whole, and of anything else nothing unverified does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <generated/vendor_keys.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/sign.h"
#include "firmware/update/update.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

#define FIXED        92
#define FORMAT_AT    8
#define BOARD_AT     12
#define VERSION_AT   44
#define SECURITY_AT  76
#define SIZES_AT     80
#define UKI_BYTES    (UPDATE_CHUNK_BYTES + 5)
#define ROOT_BYTES   UPDATE_CHUNK_BYTES
#define POLICY_BYTES 3
#define CHUNKS       4
#define BODY         (FIXED + CHUNKS * 32)
#define HEADER       (BODY + 64)
#define FILE_BYTES   (HEADER + UKI_BYTES + ROOT_BYTES + POLICY_BYTES)

struct box {
    struct random *random;
    struct secret *key;
    struct signer *signer;
    struct update_expect expect;
    uint8_t *file;
    uint8_t *taken; /* what the sink got, one part behind the other */
    size_t taken_bytes;
    int begun;
    enum err begin_says, chunk_says;
    struct update_info info;
};

static enum err begin(void *context, const struct update_info *info)
{
    struct box *box = context;

    box->begun++;
    box->info = *info;
    return box->begin_says;
}

static enum err chunk(void *context, enum update_part part, uint32_t offset, struct span bytes)
{
    static const size_t starts[] = {0, UKI_BYTES, UKI_BYTES + ROOT_BYTES};
    struct box *box = context;

    assert_int_equal(starts[part] + offset, box->taken_bytes);
    assert_memory_equal(bytes.data, box->file + HEADER + box->taken_bytes,
                        bytes.len); /* never a changed byte: see flip */
    memcpy(box->taken + box->taken_bytes, bytes.data, bytes.len);
    box->taken_bytes += bytes.len;
    return box->chunk_says;
}

static void sign_again(struct box *box)
{
    uint8_t digest[SHA256_BYTES];

    sha256(span_of(box->file, BODY), digest);
    assert_int_equal(signer_sign_raw(box->signer, span_array(digest), box->file + BODY), ERR_OK);
}

static int set_up(void **state)
{
    struct box *box = calloc(1, sizeof *box);
    size_t at = HEADER;
    size_t hash = FIXED;
    static const uint32_t sizes[] = {UKI_BYTES, ROOT_BYTES, POLICY_BYTES};

    assert_non_null(box);
    assert_int_equal(random_new(SPAN_NONE, &box->random), ERR_OK);
    assert_int_equal(sign_key_new(box->random, &box->key), ERR_OK);
    assert_int_equal(signer_new(box->key, box->random, &box->signer), ERR_OK);
    signer_public(box->signer, box->expect.public_key);
    box->expect.board = span_lit("qemu-x86_64");
    box->expect.running = span_lit("1.2.2");
    box->expect.minimum_security = 7;
    box->file = calloc(1, FILE_BYTES);
    box->taken = calloc(1, FILE_BYTES);
    assert_true(box->file != NULL && box->taken != NULL);
    memcpy(box->file, "RLUPDATE", 8);
    put_u32be(box->file + FORMAT_AT, 1);
    memcpy(box->file + BOARD_AT, "qemu-x86_64", 11);
    memcpy(box->file + VERSION_AT, "1.2.3-rc", 8);
    put_u32be(box->file + SECURITY_AT, 7);
    for (size_t i = 0; i < FILE_BYTES - HEADER; i++) {
        box->file[HEADER + i] = (uint8_t)(i * 31 + (i >> 13));
    }
    for (size_t part = 0; part < 3; part++) {
        put_u32be(box->file + SIZES_AT + 4 * part, sizes[part]);
        for (size_t done = 0; done < sizes[part];) {
            const size_t len = sizes[part] - done < UPDATE_CHUNK_BYTES ? sizes[part] - done : UPDATE_CHUNK_BYTES;
            sha256(span_of(box->file + at, len), box->file + hash);
            hash += 32;
            at += len;
            done += len;
        }
    }
    sign_again(box);
    *state = box;
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;

    signer_free(box->signer);
    secret_free(box->key);
    random_free(box->random);
    free(box->file);
    free(box->taken);
    free(box);
    return 0;
}

/* Reads bytes in pieces; the error of the first that is refused, or of the end. */
static enum err read_bytes(struct box *box, const uint8_t *bytes, size_t len, size_t piece)
{
    const struct update_sink sink = {begin, chunk, box};
    struct update_reader *reader = NULL;
    enum err err = ERR_OK;

    fault_clear();
    box->begun = 0;
    box->taken_bytes = 0;
    assert_int_equal(update_reader_new(&box->expect, &sink, &reader), ERR_OK);
    for (size_t at = 0; at < len && err == ERR_OK; at += piece) {
        err = update_reader_feed(reader, span_of(bytes + at, len - at < piece ? len - at : piece));
    }
    if (err == ERR_OK) {
        err = update_reader_end(reader);
    } else {
        assert_int_equal(update_reader_feed(reader, SPAN_NONE), ERR_STATE);
        assert_int_equal(update_reader_end(reader), ERR_STATE);
    }
    update_reader_free(reader);
    return err;
}

static enum err read_file(struct box *box)
{
    return read_bytes(box, box->file, FILE_BYTES, 65536);
}

static void a_signed_file_arrives_whole_however_it_is_cut(void **state)
{
    static const size_t pieces[] = {1, 7, 91, 92, 93, 4096, UPDATE_CHUNK_BYTES, FILE_BYTES};
    struct box *box = *state;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_int_equal(read_bytes(box, box->file, FILE_BYTES, pieces[i]), ERR_OK);
        assert_int_equal(box->begun, 1);
        assert_int_equal(box->taken_bytes, FILE_BYTES - HEADER);
        assert_string_equal(box->info.version, "1.2.3-rc");
        assert_int_equal(box->info.security, 7);
        assert_int_equal(box->info.bytes[UPDATE_ROOT], ROOT_BYTES);
    }
}

static void attack_20_each_bit_of_the_header_is_signed(void **state)
{
    struct box *box = *state;

    for (size_t bit = 0; bit < HEADER * 8; bit += bit < FIXED * 8 ? 1 : 5) {
        box->file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const enum err err = read_bytes(box, box->file, HEADER + 1, HEADER + 1);
        box->file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* another size makes a header of another length, which is not there yet or not signed */
        assert_true(err == ERR_AUTH || err == ERR_MALFORMED || err == ERR_VERSION || err == ERR_RANGE);
        assert_int_equal(box->begun, 0);
    }
}

static void attack_20_nothing_of_a_changed_chunk_is_handed_on(void **state)
{
    static const size_t places[] = {0, UPDATE_CHUNK_BYTES, UKI_BYTES - 1, UKI_BYTES, UKI_BYTES + ROOT_BYTES + 2};
    static const size_t good[] = {0, UPDATE_CHUNK_BYTES, UPDATE_CHUNK_BYTES, UKI_BYTES, UKI_BYTES + ROOT_BYTES};
    struct box *box = *state;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        box->file[HEADER + places[i]] ^= 1;
        assert_int_equal(read_file(box), ERR_AUTH);
        box->file[HEADER + places[i]] ^= 1;
        assert_int_equal(box->taken_bytes, good[i]);
    }
}

static void attack_20_a_file_that_ends_early_or_late_is_refused(void **state)
{
    static const size_t lengths[] = {0, 1, FIXED, HEADER - 1, HEADER, HEADER + UKI_BYTES, FILE_BYTES - 1};
    struct box *box = *state;
    uint8_t *longer = calloc(1, FILE_BYTES + 1);

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(read_bytes(box, box->file, lengths[i], 65536), ERR_MALFORMED);
    }
    assert_non_null(longer);
    memcpy(longer, box->file, FILE_BYTES);
    assert_int_equal(read_bytes(box, longer, FILE_BYTES + 1, FILE_BYTES + 1), ERR_MALFORMED);
    free(longer);
}

static void attack_19_an_update_below_the_minimum_version_is_refused(void **state)
{
    struct box *box = *state;
    put_u32be(box->file + SECURITY_AT, 6);
    sign_again(box);

    assert_int_equal(read_file(box), ERR_REVOKED);

    assert_int_equal(box->begun, 0);
}

static void attack_19_a_version_that_is_not_newer_is_refused(void **state)
{
    static const char *const running[] = {"1.2.3-rc", "1.2.3-rd", "1.10", "1.2.3-rc.1"};
    struct box *box = *state;

    for (size_t i = 0; i < sizeof running / sizeof *running; i++) {
        box->expect.running = span_str(running[i]);
        assert_int_equal(read_file(box), ERR_ROLLBACK);
        assert_int_equal(box->begun, 0);
    }
}

static void another_board_is_refused(void **state)
{
    struct box *box = *state;
    box->file[BOARD_AT + 11] = 'x';
    sign_again(box);

    assert_int_equal(read_file(box), ERR_UNSUPPORTED);

    assert_int_equal(box->begun, 0);
}

static void another_key_is_refused(void **state)
{
    struct box *box = *state;
    struct secret *other = NULL;
    assert_int_equal(sign_key_new(box->random, &other), ERR_OK);
    assert_int_equal(sign_public(other, box->expect.public_key), ERR_OK);
    secret_free(other);

    assert_int_equal(read_file(box), ERR_AUTH);

    assert_int_equal(box->begun, 0);
}

static void what_is_no_update_file_is_refused_before_its_end(void **state)
{
    struct box *box = *state;

    box->file[0] = 'r';
    assert_int_equal(read_bytes(box, box->file, FIXED, FIXED), ERR_MALFORMED);
    box->file[0] = 'R';
    put_u32be(box->file + FORMAT_AT, 2);
    assert_int_equal(read_bytes(box, box->file, FIXED, FIXED), ERR_VERSION);
}

static void sizes_are_held_against_their_limits_before_the_signature(void **state)
{
    static const uint32_t limits[] = {64u << 20, 256u << 20, 65536};
    struct box *box = *state;

    for (size_t part = 0; part < 3; part++) {
        uint8_t *const size = box->file + SIZES_AT + 4 * part;
        const uint32_t before = get_u32be(size);
        put_u32be(size, limits[part]);
        assert_int_equal(read_bytes(box, box->file, FIXED, FIXED), ERR_MALFORMED); /* ends early, and no more */
        put_u32be(size, limits[part] + 1);
        assert_int_equal(read_bytes(box, box->file, FIXED, FIXED), ERR_RANGE);
        put_u32be(size, 0);
        assert_int_equal(read_bytes(box, box->file, FIXED, FIXED), ERR_RANGE);
        put_u32be(size, before);
    }
}

static void a_version_that_cannot_be_part_of_a_files_name_is_refused(void **state)
{
    static const char *const versions[] = {"", ".1", "1/2", "1+2", "1 2", "1\0002"};
    static const size_t lengths[] = {0, 2, 3, 3, 3, 3};
    struct box *box = *state;

    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        memset(box->file + VERSION_AT, 0, UPDATE_NAME_BYTES);
        memcpy(box->file + VERSION_AT, versions[i], lengths[i]);
        sign_again(box);
        assert_int_equal(read_file(box), ERR_MALFORMED);
        assert_int_equal(box->begun, 0);
    }
    memset(box->file + VERSION_AT, '9', UPDATE_NAME_BYTES);
    sign_again(box);
    assert_int_equal(read_file(box), ERR_OK);
    assert_int_equal(strlen(box->info.version), UPDATE_NAME_BYTES);
}

/* A file of the image's own maker, which signs with the trial keys. */
static enum err read_made(struct box *box, const char *options, size_t *out_len)
{
    static const char parts[] = "printf kernel >k && head -c 1048577 /dev/zero >r && printf policy >p";
    char command[512];
    uint8_t *made = NULL;
    size_t room = 0;
    FILE *file = NULL;

    (void)snprintf(
        command, sizeof command,
        "t=$(mktemp -d) && m=$PWD && cd $t && %s && python3 -B $m/board/image/update.py --key "
        "$m/board/keys/qemu/update.key --board qemu-x86_64 --uki k --root r --policy p --out u %s && cat u; rm -r $t",
        parts, options);
    FILE *const shell = popen(command, "r");
    assert_non_null(shell);
    file = open_memstream((char **)&made, &room);
    assert_non_null(file);
    for (int c = fgetc(shell); c != EOF; c = fgetc(shell)) {
        assert_int_equal(fputc(c, file), c);
    }
    assert_int_equal(pclose(shell), 0);
    assert_int_equal(fclose(file), 0);
    *out_len = room;
    uint8_t *const own = box->file;
    box->file = made;
    const struct update_sink sink = {begin, NULL, box};
    struct update_reader *reader = NULL;
    assert_int_equal(update_reader_new(&box->expect, &sink, &reader), ERR_OK);
    const enum err err = update_reader_feed(reader, span_of(made, FIXED + 4 * 32 + 64));
    update_reader_free(reader);
    box->file = own;
    free(made);
    return err;
}

static void the_image_builders_file_is_read(void **state)
{
    static const uint8_t vendor[] = VENDOR_UPDATE_KEY;
    struct box *box = *state;
    size_t len = 0;
    memcpy(box->expect.public_key, vendor, sizeof vendor);

    assert_int_equal(read_made(box, "--version 2.0~a --security 65535", &len), ERR_OK);

    assert_int_equal(len, FIXED + 4 * 32 + 64 + 6 + 1048577 + 6);
    assert_string_equal(box->info.version, "2.0~a");
    assert_int_equal(box->info.security, 65535);
    assert_int_equal(box->info.bytes[UPDATE_UKI], 6);
    assert_int_equal(box->info.bytes[UPDATE_ROOT], 1048577);
    assert_int_equal(box->info.bytes[UPDATE_POLICY], 6);
}

static void the_front_of_a_file_tells_its_version_to_whoever_sends_it(void **state)
{
    struct box *box = *state;
    struct update_info info = {.security = 0};

    assert_int_equal(update_peek(span_of(box->file, UPDATE_HEAD_BYTES), &info), ERR_OK);
    assert_string_equal(info.version, "1.2.3-rc");
    assert_int_equal(info.security, 7);
    assert_int_equal(info.bytes[UPDATE_UKI], UKI_BYTES);
    for (size_t len = 0; len < UPDATE_HEAD_BYTES; len++) {
        assert_int_equal(update_peek(span_of(box->file, len), &info), ERR_MALFORMED);
        fault_clear();
    }
    box->file[FORMAT_AT] = 1;
    assert_int_equal(update_peek(span_of(box->file, UPDATE_HEAD_BYTES), &info), ERR_VERSION);
    fault_clear();
    box->file[0] = 'X';
    assert_int_equal(update_peek(span_of(box->file, UPDATE_HEAD_BYTES), &info), ERR_MALFORMED);
    fault_clear();
    assert_string_equal(info.version, "1.2.3-rc");
}

static void an_error_of_the_sink_ends_the_reading(void **state)
{
    struct box *box = *state;

    box->begin_says = ERR_CONFLICT;
    assert_int_equal(read_file(box), ERR_CONFLICT);
    assert_int_equal(box->taken_bytes, 0);
    box->begin_says = ERR_OK;
    box->chunk_says = ERR_FULL;
    assert_int_equal(read_file(box), ERR_FULL);
    assert_int_equal(box->taken_bytes, UPDATE_CHUNK_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signed_file_arrives_whole_however_it_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_20_each_bit_of_the_header_is_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_20_nothing_of_a_changed_chunk_is_handed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_20_a_file_that_ends_early_or_late_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_19_an_update_below_the_minimum_version_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attack_19_a_version_that_is_not_newer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_board_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_update_file_is_refused_before_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_held_against_their_limits_before_the_signature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_that_cannot_be_part_of_a_files_name_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_image_builders_file_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_front_of_a_file_tells_its_version_to_whoever_sends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_of_the_sink_ends_the_reading, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
