/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper process of a measured board, in its sandbox, with a software TPM; the test is its supervisor in an update. The
 * vendor is board/keys/qemu, whose public key is in the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/approval.h"
#include "crypto/box_seal.h"
#include "crypto/tpm_crypto.h"
#include "crypto/x509.h"
#include "firmware/keeper/keeper.h"
#include "firmware/msg.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/datadir.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/tpm.h"
#include "tests/lib/measured_box.h"

#define WAIT_MS 20000
#define MSG_COUNT_MAX 8 /* before the state */
#define NOBODY 65534
#define COMMAND_MAX 512

/* A board of the test's own in place of the one that is linked. */
static char image_policy[2];
const struct board_desc board_desc = {
    .name = MEASURED_BOARD,
    .tcti = "",
    .watchdog = "",
    .vmgenid = "",
    .image_policy = image_policy,
    .supervisor_uid = NOBODY,
    .supervisor_gid = NOBODY,
    .worker_uid = NOBODY,
    .worker_gid = NOBODY,
    .keeper_uid = NOBODY,
    .keeper_gid = NOBODY,
    .courier_uid = NOBODY,
    .courier_gid = NOBODY,
};

static const struct image first = {.number = 1, .security = 1};
static const struct image second = {.number = 2, .security = 2};

struct fixture {
    struct temp_dir temp;
    struct datadir *dir;
    int keeper_dir;
    struct swtpm *swtpm;
    uint8_t secure_boot; /* number of the state of Secure Boot at the next boot */
    pid_t pid;
    struct msg_channel *control;
    struct msg in;
};

static struct signed_policy output_of(const char *command)
{
    struct signed_policy text = {.len = 0};
    FILE *const shell = popen(command, "r");

    assert_non_null(shell);
    text.len = fread(text.text, 1, sizeof(text.text), shell);
    assert_int_equal(pclose(shell), 0);
    return text;
}

/* The vendor's policy of an image. */
static struct signed_policy policy_of(struct image image)
{
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    char hex[HEX_BYTES(HAL_TPM_DIGEST_BYTES) + 1] = "";
    char command[COMMAND_MAX];

    measured_pcr11(image, value);
    hex_encode(span_array(value), hex);
    (void)snprintf(command, sizeof(command),
                   "python3 board/image/policy.py --key board/keys/qemu/policy.key --board " MEASURED_BOARD
                   " --version 1.%u --security %u --pcr11 %s",
                   image.security, image.security, hex);
    return output_of(command);
}

/* The vendor's plan of a state of Secure Boot. */
static struct signed_policy plan_of(uint8_t secure_boot, unsigned int serial)
{
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    char hex[HEX_BYTES(HAL_TPM_DIGEST_BYTES) + 1] = "";
    char command[COMMAND_MAX];

    measured_pcr7(secure_boot, value);
    hex_encode(span_array(value), hex);
    (void)snprintf(command, sizeof(command),
                   "python3 board/image/plan.py --key board/keys/qemu/policy.key --board " MEASURED_BOARD
                   " --serial %u --security %u --pcr7 %s",
                   serial, first.security, hex);
    return output_of(command);
}

/* --- being firmware, image and supervisor --- */

static void boot(struct fixture *f, struct image image)
{
    const uint8_t digest[HAL_TPM_DIGEST_BYTES] = {image.number, 0x11};
    const uint8_t keys[HAL_TPM_DIGEST_BYTES] = {f->secure_boot, 0x77}; /* as measured_pcr7() has it */
    struct hal_tpm *tpm = NULL;

    swtpm_cut_power(f->swtpm);
    swtpm_power_on(f->swtpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(f->swtpm), &tpm_crypto, &tpm), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(tpm, BOX_SEAL_PCR, keys), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(tpm, APPROVAL_PCR, digest), ERR_OK);
    hal_tpm_close(tpm);
}

NO_RETURN static void be_keeper(int control, int directory)
{
    const int high_control = fcntl(control, F_DUPFD, 100);
    const int high_directory = fcntl(directory, F_DUPFD, 100);
    struct keeper *keeper = NULL;

    if (dup2(high_control, KEEPER_FD_CONTROL) < 0 || dup2(high_directory, KEEPER_FD_DIRECTORY) < 0 ||
        syscall(SYS_close_range, KEEPER_FD_DIRECTORY + 1, ~0U, 0U) != 0) {
        _exit(3);
    }
    if (geteuid() == 0 && sandbox_drop_user(NOBODY, NOBODY) != ERR_OK) {
        _exit(3);
    }
    const int status = keeper_new(KEEPER_TICK_MS, &keeper) == ERR_OK && keeper_run(keeper) == ERR_OK ? 0 : 1;
    keeper_free(keeper);
    _exit(status);
}

static void tell(struct fixture *f, enum msg_type type, const struct signed_policy *policy)
{
    struct msg msg = MSG_NEW(type);

    if (policy != NULL) {
        assert_int_equal(MSG_SET(&msg.as.keeper_policy, policy_span(policy)), ERR_OK);
    }
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
}

static enum err bring_plan(struct fixture *f, const struct signed_policy *plan)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_PLAN);

    assert_int_equal(MSG_SET(&msg.as.keeper_plan, policy_span(plan)), ERR_OK);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_KEEPER_PLANNED);
    return (enum err)f->in.as.keeper_image.err;
}

static void tell_name(struct fixture *f, uint32_t index, uint32_t count, const char *name)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_NAME);

    msg.as.keeper_name.index = index;
    msg.as.keeper_name.count = count;
    assert_int_equal(MSG_SET(&msg.as.keeper_name.name, span_str(name)), ERR_OK);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
}

static void tell_start(struct fixture *f)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_START);

    tell_name(f, 0, 1, "localhost");
    assert_int_equal(MSG_SET(&msg.as.keeper_start.tcti, span_str(swtpm_tcti(f->swtpm))), ERR_OK);
    msg.as.keeper_start.shown = 1;
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
}

/* Reads up to the state. */
static void hear_state(struct fixture *f)
{
    for (size_t i = 0; i < MSG_COUNT_MAX; i++) {
        assert_int_equal(msg_recv(f->control, MSG_STARTING, &f->in), ERR_OK);
        if (f->in.type == MSG_KEEPER_STATE) {
            return;
        }
    }
    fail();
}

static void start(struct fixture *f, const struct signed_policy *policy)
{
    int ends[2] = {-1, -1};

    assert_int_equal(channel_pair(ends), ERR_OK);
    f->pid = fork();
    if (f->pid == 0) {
        be_keeper(ends[1], f->keeper_dir);
    }
    (void)close(ends[1]);
    assert_int_equal(channel_set_timeout(ends[0], WAIT_MS), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_KEEPER, MSG_UPPER, &f->control), ERR_OK);
    if (policy != NULL) {
        tell(f, MSG_KEEPER_POLICY, policy);
    }
    tell_start(f);
    hear_state(f);
}

static void stop(struct fixture *f)
{
    int status = 0;

    tell(f, MSG_KEEPER_STOP, NULL);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0);
    f->pid = 0;
    msg_channel_free(f->control);
    f->control = NULL;
}

static enum err hear(struct fixture *f, enum msg_type type)
{
    assert_int_equal(msg_recv(f->control, MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, type);
    return (enum err)f->in.as.keeper_image.err;
}

static int setup(void **state)
{
    static struct fixture fixture;

    (void)signal(SIGPIPE, SIG_IGN);
    fault_clear();
    fixture = (struct fixture){.keeper_dir = -1};
    image_policy[0] = '-'; /* measured */
    fixture.temp = temp_dir_make();
    assert_int_equal(datadir_open(fixture.temp.path, &fixture.dir), ERR_OK);
    assert_int_equal(datadir_open_for(fixture.dir, "keeper", NOBODY, NOBODY, &fixture.keeper_dir), ERR_OK);
    fixture.swtpm = swtpm_new();
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->pid != 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    msg_channel_free(f->control);
    (void)close(f->keeper_dir);
    datadir_close(f->dir);
    temp_dir_remove(&f->temp);
    swtpm_free(f->swtpm);
    fault_clear();
    return 0;
}

/* --- tests --- */

/* A neighbour that says that it is a router gives this machine addresses; on this board the keeper's end is that of all. */
static void attack_13_more_addresses_than_a_certificate_holds_do_not_end_the_keeper(void **state)
{
    struct fixture *f = *state;
    const uint32_t count = X509_DNS_MAX + X509_IP_MAX + 2;
    char name[] = "a.example";
    char address[] = "10.0.0.100";
    const struct signed_policy of_first = policy_of(first);
    boot(f, first);
    start(f, &of_first);

    for (uint32_t i = 0; i <= X509_DNS_MAX; i++, name[0]++) {
        tell_name(f, i, count, name);
    }
    for (uint32_t i = 0; i <= X509_IP_MAX; i++) {
        address[8] = (char)('0' + i / 10);
        address[9] = (char)('0' + i % 10);
        tell_name(f, X509_DNS_MAX + 1 + i, count, address);
    }
    tell(f, MSG_KEEPER_ASK, NULL);

    (void)hear(f, MSG_KEEPER_CA); /* as after each renewal */
    (void)hear(f, MSG_KEEPER_ANSWER);
    stop(f);
}

static void an_update_is_approved_tried_and_blessed(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    const struct signed_policy of_second = policy_of(second);
    boot(f, first);
    start(f, &of_first);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_OPERATIONAL);
    tell(f, MSG_KEEPER_APPROVE, &of_second);
    assert_int_equal(hear(f, MSG_KEEPER_APPROVED), ERR_OK);
    stop(f);

    boot(f, second);
    start(f, &of_second);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_OPERATIONAL);
    tell(f, MSG_KEEPER_BLESS, NULL);
    assert_int_equal(hear(f, MSG_KEEPER_BLESSED), ERR_OK);
    assert_int_equal(f->in.as.keeper_image.minimum, second.security);
    tell(f, MSG_KEEPER_APPROVE, &of_first);
    assert_int_equal(hear(f, MSG_KEEPER_APPROVED), ERR_REVOKED);
    stop(f);

    boot(f, first);
    start(f, &of_first);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_LOCKED);
    assert_int_equal(f->in.as.keeper_state.reason, LIFE_REASON_VERSION_REVOKED);
    stop(f);
}

static void an_image_without_a_policy_provisions_nothing(void **state)
{
    struct fixture *f = *state;
    boot(f, first);

    start(f, NULL);

    assert_int_equal(f->in.as.keeper_state.state, BOARD_UNPROVISIONED);
    assert_int_equal(f->in.as.keeper_state.reason, LIFE_REASON_IMAGE_CHANGED);
    stop(f);
}

static void one_question_about_images_is_answered_at_a_time(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    boot(f, first);
    start(f, &of_first);
    swtpm_pause(f->swtpm);
    tell(f, MSG_KEEPER_APPROVE, &of_first);
    tell(f, MSG_KEEPER_BLESS, NULL);

    assert_int_equal(hear(f, MSG_KEEPER_BLESSED), ERR_LIMIT);
    swtpm_resume(f->swtpm);
    assert_int_equal(hear(f, MSG_KEEPER_APPROVED), ERR_OK);
    tell(f, MSG_KEEPER_BLESS, NULL);
    assert_int_equal(hear(f, MSG_KEEPER_BLESSED), ERR_OK);
    stop(f);
}

static void assert_locked_by_secure_boot(const struct fixture *f)
{
    assert_int_equal(f->in.as.keeper_state.state, BOARD_LOCKED);
    assert_int_equal(f->in.as.keeper_state.reason, LIFE_REASON_SECURE_BOOT_CHANGED);
}

static void a_change_of_secure_boot_is_planned(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    const struct signed_policy plan = plan_of(9, 1);
    boot(f, first);
    start(f, &of_first);

    assert_int_equal(bring_plan(f, &plan), ERR_OK);
    stop(f);

    f->secure_boot = 9;
    boot(f, first);
    start(f, &of_first);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_OPERATIONAL);
    stop(f);
    assert_int_not_equal(faccessat(f->keeper_dir, "root.next", F_OK, 0), 0);
    f->secure_boot = 0;
    boot(f, first);
    start(f, &of_first);
    assert_locked_by_secure_boot(f);
    stop(f);
}

static void a_change_of_secure_boot_that_nobody_planned_stays_locked(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    boot(f, first);
    start(f, &of_first);
    stop(f);
    f->secure_boot = 9;

    boot(f, first);
    start(f, &of_first);

    assert_locked_by_secure_boot(f);
    stop(f);
}

static void attack_17_a_foreign_plan_seals_nothing(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    struct vendor other;
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    measured_pcr7(9, value);
    vendor_init(&other);
    const struct signed_policy foreign = vendor_plan(&other, (struct planned){MEASURED_BOARD, 1, first.security}, value);
    vendor_done(&other);
    boot(f, first);
    start(f, &of_first);

    assert_int_equal(bring_plan(f, &foreign), ERR_AUTH);

    stop(f);
    assert_int_not_equal(faccessat(f->keeper_dir, "root.next", F_OK, 0), 0);
    f->secure_boot = 9;
    boot(f, first);
    start(f, &of_first);
    assert_locked_by_secure_boot(f);
    stop(f);
}

/* Also the right one, after a wrong one: who asks is not known here. */
static void attack_17_plans_are_looked_at_now_and_then_only(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    const struct signed_policy plan = plan_of(9, 1);
    const struct signed_policy nothing = {.text = "nothing", .len = 7};
    boot(f, first);
    start(f, &of_first);

    assert_int_equal(bring_plan(f, &nothing), ERR_MALFORMED);
    assert_int_equal(bring_plan(f, &plan), ERR_LIMIT);
    assert_int_equal(bring_plan(f, &plan), ERR_LIMIT);

    stop(f);
    assert_int_not_equal(faccessat(f->keeper_dir, "root.next", F_OK, 0), 0);
}

static void attack_19_an_older_plan_is_refused_by_a_later_keeper_too(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy of_first = policy_of(first);
    const struct signed_policy older = plan_of(8, 4);
    const struct signed_policy plan = plan_of(9, 5);
    boot(f, first);
    start(f, &of_first);
    assert_int_equal(bring_plan(f, &plan), ERR_OK);
    stop(f);
    boot(f, first);
    start(f, &of_first);

    assert_int_equal(bring_plan(f, &older), ERR_ROLLBACK);

    stop(f);
    f->secure_boot = 8;
    boot(f, first);
    start(f, &of_first);
    assert_locked_by_secure_boot(f);
    stop(f);
    f->secure_boot = 9;
    boot(f, first);
    start(f, &of_first);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_OPERATIONAL);
    stop(f);
}

static void a_board_that_is_not_measured_approves_and_blesses_without_effect(void **state)
{
    struct fixture *f = *state;
    const struct signed_policy nothing = {.text = "nothing", .len = 7};
    image_policy[0] = '\0';
    start(f, NULL);
    assert_int_equal(f->in.as.keeper_state.state, BOARD_OPERATIONAL);

    tell(f, MSG_KEEPER_APPROVE, &nothing);
    assert_int_equal(hear(f, MSG_KEEPER_APPROVED), ERR_OK);
    tell(f, MSG_KEEPER_BLESS, NULL);
    assert_int_equal(hear(f, MSG_KEEPER_BLESSED), ERR_OK);
    assert_int_equal(f->in.as.keeper_image.minimum, 0);
    assert_int_equal(bring_plan(f, &nothing), ERR_UNSUPPORTED);

    assert_int_not_equal(faccessat(f->keeper_dir, "approvals", F_OK, 0), 0);
    stop(f);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(attack_13_more_addresses_than_a_certificate_holds_do_not_end_the_keeper),
        KEEPER_TEST(an_update_is_approved_tried_and_blessed),
        KEEPER_TEST(an_image_without_a_policy_provisions_nothing),
        KEEPER_TEST(one_question_about_images_is_answered_at_a_time),
        KEEPER_TEST(a_change_of_secure_boot_is_planned),
        KEEPER_TEST(a_change_of_secure_boot_that_nobody_planned_stays_locked),
        KEEPER_TEST(attack_17_a_foreign_plan_seals_nothing),
        KEEPER_TEST(attack_17_plans_are_looked_at_now_and_then_only),
        KEEPER_TEST(attack_19_an_older_plan_is_refused_by_a_later_keeper_too),
        KEEPER_TEST(a_board_that_is_not_measured_approves_and_blesses_without_effect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
