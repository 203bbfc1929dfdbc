/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wire to a node of the kernel. A pseudo-terminal without line discipline stands for /dev/tpmrm0: it is a character
 * device that is polled, read in pieces and hung up. Behind it the test itself answers, or an swtpm. The real node is met
 * by the boot tests. */
/* link: --wrap=read --wrap=write */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/tpm_crypto.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/base/span.h"
#include "hal/linux/tpm_int.h"
#include "hal/tpm.h"
#include "tests/lib/swtpm.h"

#define PATH_MAX_BYTES 64
#define PACKET_MAX     4096

#define PATIENT_MS 60000 /* a loaded machine */
#define BRIEF_MS   200   /* where no answer comes */

static uint32_t timeout_ms = PATIENT_MS;

struct tpm_wire tpm_wire(void)
{
    return (struct tpm_wire){.encrypt = true, .timeout_ms = timeout_ms};
}

/* What the next read or write of the node is to do in place of its work. */
static _Thread_local int read_errno;
static _Thread_local size_t write_short_by;

ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __real_write(int fd, const void *bytes, size_t len);

ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    if (read_errno != 0) {
        errno = read_errno;
        return -1;
    }
    return __real_read(fd, bytes, len);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    return __real_write(fd, bytes, len - write_short_by);
}

struct node {
    int chip; /* the other end */
    int kept; /* keeps the terminal's settings while nobody else has it open */
    char path[PATH_MAX_BYTES];
    char tcti[PATH_MAX_BYTES + 8];
    TSS2_TCTI_CONTEXT *wire;
};

static void node_make(struct node *node)
{
    struct termios raw;

    *node = (struct node){.chip = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    assert_true(node->chip >= 0 && grantpt(node->chip) == 0 && unlockpt(node->chip) == 0);
    assert_int_equal(ptsname_r(node->chip, node->path, sizeof(node->path)), 0);
    node->kept = open(node->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(node->kept >= 0 && tcgetattr(node->kept, &raw) == 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(node->kept, TCSANOW, &raw), 0);
    assert_true(snprintf(node->tcti, sizeof(node->tcti), "device:%s", node->path) > 0);
}

static void hang_up(struct node *node)
{
    (void)close(node->chip);
    node->chip = -1;
}

static int setup(void **state)
{
    static struct node node;

    fault_clear();
    timeout_ms = PATIENT_MS;
    (void)signal(SIGPIPE, SIG_IGN);
    node_make(&node);
    assert_int_equal(tpm_tcti_open(node.tcti, &node.wire), ERR_OK);
    *state = &node;
    return 0;
}

static int teardown(void **state)
{
    struct node *node = *state;

    read_errno = 0;
    write_short_by = 0;
    tpm_tcti_close(node->wire);
    (void)close(node->kept);
    if (node->chip >= 0) {
        (void)close(node->chip);
    }
    return 0;
}

/* TPM2_GetRandom without sessions, of two bytes; and an answer to it. */
static const uint8_t command[] = {0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 2};
static const uint8_t answer[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0, 0, 0, 2, 0xab, 0xcd};

static void send_command(struct node *node)
{
    uint8_t seen[sizeof(command)];

    assert_int_equal(Tss2_Tcti_Transmit(node->wire, sizeof(command), command), TSS2_RC_SUCCESS);
    assert_int_equal(__real_read(node->chip, seen, sizeof(seen)), sizeof(seen));
    assert_memory_equal(seen, command, sizeof(seen));
}

static void reply(struct node *node, const void *bytes, size_t len)
{
    assert_int_equal(__real_write(node->chip, bytes, len), len);
}

/* What a receive with this time makes of the bytes in front of it. */
static TSS2_RC received(struct node *node, int32_t wait_ms)
{
    uint8_t bytes[PACKET_MAX];
    size_t size = sizeof(bytes);

    return Tss2_Tcti_Receive(node->wire, &size, bytes, wait_ms);
}

static void a_command_goes_out_whole_and_its_answer_comes_in(void **state)
{
    struct node *node = *state;
    uint8_t bytes[PACKET_MAX];
    size_t size = sizeof(bytes);
    send_command(node);
    reply(node, answer, sizeof(answer));

    const TSS2_RC rc = Tss2_Tcti_Receive(node->wire, &size, bytes, PATIENT_MS);

    assert_int_equal(rc, TSS2_RC_SUCCESS);
    assert_int_equal(size, sizeof(answer));
    assert_memory_equal(bytes, answer, sizeof(answer));
}

static void an_answer_in_single_bytes_is_put_together(void **state)
{
    struct node *node = *state;
    uint8_t bytes[PACKET_MAX];
    size_t size = sizeof(bytes);
    send_command(node);
    for (size_t i = 0; i + 1 < sizeof(answer); i++) {
        reply(node, answer + i, 1);
        assert_int_equal(received(node, 0), TSS2_TCTI_RC_TRY_AGAIN);
    }
    reply(node, answer + sizeof(answer) - 1, 1);

    const TSS2_RC rc = Tss2_Tcti_Receive(node->wire, &size, bytes, PATIENT_MS);

    assert_int_equal(rc, TSS2_RC_SUCCESS);
    assert_int_equal(size, sizeof(answer));
    assert_memory_equal(bytes, answer, sizeof(answer));
}

static void asking_for_the_length_and_a_small_buffer_lose_nothing(void **state)
{
    struct node *node = *state;
    uint8_t bytes[sizeof(answer)];
    size_t length = 0;
    size_t little = sizeof(answer) - 1;
    size_t enough = sizeof(answer);
    send_command(node);
    reply(node, answer, sizeof(answer));

    assert_int_equal(Tss2_Tcti_Receive(node->wire, &length, NULL, PATIENT_MS), TSS2_RC_SUCCESS);
    assert_int_equal(length, sizeof(answer));
    assert_int_equal(Tss2_Tcti_Receive(node->wire, &little, bytes, PATIENT_MS), TSS2_TCTI_RC_INSUFFICIENT_BUFFER);
    assert_int_equal(little, sizeof(answer));
    assert_int_equal(Tss2_Tcti_Receive(node->wire, &enough, bytes, PATIENT_MS), TSS2_RC_SUCCESS);
    assert_memory_equal(bytes, answer, sizeof(answer));
}

static void commands_and_answers_take_turns(void **state)
{
    struct node *node = *state;

    assert_int_equal(received(node, 0), TSS2_TCTI_RC_BAD_SEQUENCE);
    send_command(node);
    assert_int_equal(Tss2_Tcti_Transmit(node->wire, sizeof(command), command), TSS2_TCTI_RC_BAD_SEQUENCE);
    reply(node, answer, sizeof(answer));
    assert_int_equal(received(node, PATIENT_MS), TSS2_RC_SUCCESS);
    assert_int_equal(received(node, 0), TSS2_TCTI_RC_BAD_SEQUENCE);
    send_command(node);
}

static void a_silent_device_is_waited_for_no_longer_than_asked(void **state)
{
    struct node *node = *state;
    send_command(node);

    assert_int_equal(received(node, BRIEF_MS), TSS2_TCTI_RC_TRY_AGAIN);

    reply(node, answer, sizeof(answer));
    assert_int_equal(received(node, PATIENT_MS), TSS2_RC_SUCCESS);
}

static void a_device_that_hangs_up_is_no_connection(void **state)
{
    struct node *node = *state;
    send_command(node);
    hang_up(node);

    assert_int_equal(received(node, PATIENT_MS), TSS2_TCTI_RC_NO_CONNECTION);
    assert_int_equal(Tss2_Tcti_Transmit(node->wire, sizeof(command), command), TSS2_TCTI_RC_BAD_SEQUENCE);
}

static void a_device_that_is_gone_takes_no_command(void **state)
{
    struct node *node = *state;
    hang_up(node);

    assert_int_equal(Tss2_Tcti_Transmit(node->wire, sizeof(command), command), TSS2_TCTI_RC_IO_ERROR);
}

static void an_answer_that_cannot_be_read_is_an_io_error(void **state)
{
    struct node *node = *state;
    send_command(node);
    reply(node, answer, sizeof(answer));
    read_errno = EIO;

    assert_int_equal(received(node, PATIENT_MS), TSS2_TCTI_RC_IO_ERROR);
}

static void an_interrupted_read_is_repeated(void **state)
{
    struct node *node = *state;
    send_command(node);
    reply(node, answer, sizeof(answer));
    read_errno = EINTR;
    assert_int_equal(received(node, PATIENT_MS), TSS2_TCTI_RC_TRY_AGAIN);
    read_errno = 0;

    assert_int_equal(received(node, PATIENT_MS), TSS2_RC_SUCCESS);
}

static void half_a_command_is_an_io_error(void **state)
{
    struct node *node = *state;
    write_short_by = 1;

    assert_int_equal(Tss2_Tcti_Transmit(node->wire, sizeof(command), command), TSS2_TCTI_RC_IO_ERROR);
}

static TSS2_RC received_of_size(struct node *node, uint32_t size_in_header)
{
    uint8_t bytes[PACKET_MAX] = {0x80, 0x01};

    put_u32be(bytes + TPM_SIZE_AT, size_in_header);
    send_command(node);
    reply(node, bytes, TPM_HEADER_BYTES);
    return received(node, BRIEF_MS);
}

static void attack_16_an_answer_longer_than_any_is_refused(void **state)
{
    assert_int_equal(received_of_size(*state, PACKET_MAX + 1), TSS2_TCTI_RC_MALFORMED_RESPONSE);
}

static void attack_16_an_answer_of_four_gigabytes_is_refused(void **state)
{
    assert_int_equal(received_of_size(*state, UINT32_MAX), TSS2_TCTI_RC_MALFORMED_RESPONSE);
}

static void attack_16_an_answer_shorter_than_its_header_is_refused(void **state)
{
    assert_int_equal(received_of_size(*state, TPM_HEADER_BYTES - 1), TSS2_TCTI_RC_MALFORMED_RESPONSE);
}

static void attack_16_bytes_behind_an_answer_are_refused(void **state)
{
    struct node *node = *state;
    uint8_t bytes[sizeof(answer) + 1];
    memcpy(bytes, answer, sizeof(answer));
    bytes[sizeof(answer)] = 0x80;
    send_command(node);
    reply(node, bytes, sizeof(bytes));

    assert_int_equal(received(node, PATIENT_MS), TSS2_TCTI_RC_MALFORMED_RESPONSE);
}

static void a_path_that_is_no_device_is_no_tpm(void **state)
{
    TSS2_TCTI_CONTEXT *wire = NULL;

    assert_int_equal(tpm_tcti_open("device:/nowhere/tpmrm0", &wire), ERR_NO_DEVICE);
    assert_int_equal(tpm_tcti_open("device:/dev/null/x", &wire), ERR_NO_DEVICE);
    assert_int_equal(tpm_tcti_open("device:", &wire), ERR_MALFORMED);
    assert_int_equal(tpm_tcti_open("device:tpmrm0", &wire), ERR_MALFORMED);
    assert_int_equal(tpm_tcti_open("mssim:host=127.0.0.1", &wire), ERR_MALFORMED);
    assert_null(wire);
}

static void a_file_is_no_tpm(void **state)
{
    char path[] = "/tmp/rowlock-test-XXXXXX";
    char tcti[sizeof(path) + 8];
    TSS2_TCTI_CONTEXT *wire = NULL;
    const int fd = mkstemp(path);
    assert_true(fd >= 0 && snprintf(tcti, sizeof(tcti), "device:%s", path) > 0);

    const enum err got = tpm_tcti_open(tcti, &wire);

    assert_int_equal(got, ERR_MALFORMED);
    (void)close(fd);
    (void)unlink(path);
}

/* --- an swtpm behind the node ---------------------------------------------------------------------------------------- */

struct chip {
    struct node node;
    struct swtpm *swtpm;
    pthread_t thread;
    int to_swtpm;
    int stop;
    size_t answers_left; /* then it goes silent */
};

/* Both ends give whole packets only after a while, so bytes go over as they come; an answer in two pieces. */
static void *carry(void *context)
{
    struct chip *chip = context;
    uint8_t bytes[PACKET_MAX];

    for (;;) {
        struct pollfd wait[] = {{.fd = chip->node.chip, .events = POLLIN},
                                {.fd = chip->to_swtpm, .events = POLLIN},
                                {.fd = chip->stop, .events = POLLIN}};
        if (poll(wait, 3, -1) < 0) {
            continue;
        }
        if (wait[2].revents != 0) {
            return NULL;
        }
        if ((wait[0].revents & POLLIN) != 0) {
            const ssize_t got = __real_read(chip->node.chip, bytes, sizeof(bytes));
            if (got <= 0 || __real_write(chip->to_swtpm, bytes, (size_t)got) != got) {
                return NULL;
            }
        }
        if (wait[1].revents != 0) {
            const ssize_t got = __real_read(chip->to_swtpm, bytes, sizeof(bytes));
            if (got <= 1 || chip->answers_left-- == 0) {
                return NULL;
            }
            if (__real_write(chip->node.chip, bytes, 1) != 1 ||
                __real_write(chip->node.chip, bytes + 1, (size_t)got - 1) != got - 1) {
                return NULL;
            }
        }
    }
}

static void chip_make(struct chip *chip, size_t answers)
{
    node_make(&chip->node);
    chip->swtpm = swtpm_new();
    chip->answers_left = answers;
    chip->to_swtpm = swtpm_connect(swtpm_path(chip->swtpm));
    chip->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(chip->to_swtpm >= 0 && chip->stop >= 0);
    assert_int_equal(pthread_create(&chip->thread, NULL, carry, chip), 0);
}

static void chip_free(struct chip *chip)
{
    const uint64_t one = 1;

    assert_int_equal(__real_write(chip->stop, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(chip->thread, NULL), 0);
    (void)close(chip->stop);
    (void)close(chip->to_swtpm);
    (void)close(chip->node.chip);
    (void)close(chip->node.kept);
    swtpm_free(chip->swtpm);
}

static void a_secret_is_sealed_and_unsealed_over_a_node(void **state)
{
    const uint8_t secret[32] = "thirty-two bytes, all of them so";
    const struct hal_tpm_policy policy = {.pcr_mask = 0x10000};
    struct chip chip;
    struct hal_tpm *tpm = NULL;
    struct hal_tpm_name srk;
    struct hal_tpm_sealed sealed;
    uint8_t out[32] = {0};
    fault_clear();
    timeout_ms = PATIENT_MS;
    chip_make(&chip, SIZE_MAX);

    assert_int_equal(hal_tpm_open(chip.node.tcti, &tpm_crypto, &tpm), ERR_OK);
    assert_int_equal(hal_tpm_srk_make(tpm, SPAN_NONE, &srk), ERR_OK);
    assert_int_equal(hal_tpm_seal(tpm, &srk, &policy, span_array(secret), &sealed), ERR_OK);
    assert_int_equal(hal_tpm_unseal(tpm, &srk, &policy, &sealed, out, sizeof(out)), ERR_OK);

    assert_memory_equal(out, secret, sizeof(secret));
    hal_tpm_close(tpm);
    chip_free(&chip);
}

static void a_chip_that_goes_silent_is_given_up(void **state)
{
    struct chip chip;
    struct hal_tpm *tpm = NULL;
    uint8_t random[8];
    fault_clear();
    timeout_ms = PATIENT_MS;
    chip_make(&chip, 4); /* opening takes four commands */
    assert_int_equal(hal_tpm_open(chip.node.tcti, &tpm_crypto, &tpm), ERR_OK);
    timeout_ms = BRIEF_MS;

    const enum err silent = hal_tpm_random(tpm, random, sizeof(random));
    const enum err later = hal_tpm_random(tpm, random, sizeof(random));

    assert_int_equal(silent, ERR_TIMEOUT);
    assert_int_equal(later, ERR_NO_DEVICE);
    hal_tpm_close(tpm);
    chip_free(&chip);
}

#define ON_A_NODE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_NODE(a_command_goes_out_whole_and_its_answer_comes_in),
        ON_A_NODE(an_answer_in_single_bytes_is_put_together),
        ON_A_NODE(asking_for_the_length_and_a_small_buffer_lose_nothing),
        ON_A_NODE(commands_and_answers_take_turns),
        ON_A_NODE(a_silent_device_is_waited_for_no_longer_than_asked),
        ON_A_NODE(a_device_that_hangs_up_is_no_connection),
        ON_A_NODE(a_device_that_is_gone_takes_no_command),
        ON_A_NODE(an_answer_that_cannot_be_read_is_an_io_error),
        ON_A_NODE(an_interrupted_read_is_repeated),
        ON_A_NODE(half_a_command_is_an_io_error),
        ON_A_NODE(attack_16_an_answer_longer_than_any_is_refused),
        ON_A_NODE(attack_16_an_answer_of_four_gigabytes_is_refused),
        ON_A_NODE(attack_16_an_answer_shorter_than_its_header_is_refused),
        ON_A_NODE(attack_16_bytes_behind_an_answer_are_refused),
        cmocka_unit_test(a_path_that_is_no_device_is_no_tpm),
        cmocka_unit_test(a_file_is_no_tpm),
        cmocka_unit_test(a_secret_is_sealed_and_unsealed_over_a_node),
        cmocka_unit_test(a_chip_that_goes_silent_is_given_up),
    };

    return cmocka_run_group_tests_name("hal_tpm_device", tests, NULL, NULL);
}
