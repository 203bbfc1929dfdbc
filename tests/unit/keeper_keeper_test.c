/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keeper as a process, in its sandbox, with a software TPM; the test is its supervisor, and a hostile worker. What it
 * answers to each message is in keeper_links_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/x509.h"
#include "firmware/keeper/keeper.h"
#include "firmware/msg.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/datadir.h"
#include "hal/process.h"
#include "hal/sandbox.h"
#include "hal/vmgenid.h"
#include "tests/lib/swtpm.h"
#include "tests/lib/temp.h"

#define WAIT_MS 20000
#define MSG_COUNT_MAX 8 /* before the state */

enum link_at { CALLS, NOTICES, REACTOR, LINKS };

struct fixture {
    struct temp_dir temp;
    struct datadir *dir;
    int keeper_dir;
    unsigned int tick_ms; /* of the next keeper */
    int generation; /* of the virtual machine; -1: none */
    struct swtpm *swtpm;
    pid_t pid;
    struct msg_channel *control;
    enum msg_state state;
    const char *pin;
    bool shown; /* what the next keeper is told of the recovery key */
    struct msg_recovery words;
    uint32_t first; /* as it told */
    struct msg_channel *links[LINKS];
    uint32_t certificate;
    struct msg_leaf leaf;
    struct msg in;
};

/* --- being the supervisor --- */

NO_RETURN static void be_keeper(int control, int directory, unsigned int tick_ms)
{
    const int high_control = fcntl(control, F_DUPFD, 100);
    const int high_directory = fcntl(directory, F_DUPFD, 100);

    if (dup2(high_control, KEEPER_FD_CONTROL) < 0 || dup2(high_directory, KEEPER_FD_DIRECTORY) < 0 ||
        syscall(SYS_close_range, KEEPER_FD_DIRECTORY + 1, ~0U, 0U) != 0) {
        _exit(3);
    }
    if (geteuid() == 0 && sandbox_drop_user(board_desc.supervisor_uid, board_desc.supervisor_gid) != ERR_OK) {
        _exit(3); /* as the supervisor does before it starts one */
    }
    struct keeper *keeper = NULL;
    const int status = keeper_new(tick_ms, &keeper) == ERR_OK && keeper_run(keeper) == ERR_OK ? 0 : 1;
    keeper_free(keeper);
    _exit(status);
}

static enum err hear(struct fixture *f)
{
    return msg_recv(f->control, f->state, &f->in);
}

/* Reads up to the state, keeping what is of use. */
static void hear_state(struct fixture *f, enum board_state *out_state)
{
    for (size_t i = 0; i < MSG_COUNT_MAX; i++) {
        assert_int_equal(hear(f), ERR_OK);
        if (f->in.type == MSG_KEEPER_RECOVERY) {
            f->words = f->in.as.keeper_recovery;
        }
        if (f->in.type == MSG_KEEPER_STATE) {
            *out_state = (enum board_state)f->in.as.keeper_state.state;
            f->first = f->in.as.keeper_state.first;
            f->state = *out_state == BOARD_OPERATIONAL ? MSG_OPERATIONAL : MSG_LOCKED;
            return;
        }
    }
    fail();
}

/* The only name that the certificate is for. */
static void tell_name(struct fixture *f, struct span name)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_NAME);

    msg.as.keeper_name.count = 1;
    assert_int_equal(MSG_SET(&msg.as.keeper_name.name, name), ERR_OK);
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
}

static enum board_state start(struct fixture *f)
{
    struct msg msg = MSG_NEW(MSG_KEEPER_START);
    enum board_state state = BOARD_FAILED;
    int ends[2] = {-1, -1};

    assert_int_equal(channel_pair(ends), ERR_OK);
    f->pid = fork();
    if (f->pid == 0) {
        be_keeper(ends[1], f->keeper_dir, f->tick_ms);
    }
    (void)close(ends[1]);
    assert_int_equal(channel_set_timeout(ends[0], WAIT_MS), ERR_OK);
    assert_int_equal(msg_channel_new(ends[0], MSG_TO_KEEPER, MSG_UPPER, &f->control), ERR_OK);
    f->state = MSG_STARTING;
    tell_name(f, span_lit("localhost"));
    if (f->generation >= 0) {
        msg = MSG_NEW(MSG_KEEPER_GENERATION);
        msg.fd = f->generation;
        assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    }
    msg = MSG_NEW(MSG_KEEPER_START);
    assert_int_equal(MSG_SET(&msg.as.keeper_start.tcti, span_str(swtpm_tcti(f->swtpm))), ERR_OK);
    assert_int_equal(MSG_SET(&msg.as.keeper_start.pin, span_str(f->pin)), ERR_OK);
    msg.as.keeper_start.shown = f->shown ? 1 : 0;
    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    hear_state(f, &state);
    return state;
}

static void close_links(struct fixture *f)
{
    for (size_t i = 0; i < LINKS; i++) {
        msg_channel_free(f->links[i]);
        f->links[i] = NULL;
    }
}

static void stop(struct fixture *f)
{
    const struct msg msg = MSG_NEW(MSG_KEEPER_STOP);
    int status = 0;

    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0);
    f->pid = 0;
    msg_channel_free(f->control);
    f->control = NULL;
    close_links(f);
}

static void tell_shown(struct fixture *f)
{
    const struct msg msg = MSG_NEW(MSG_KEEPER_SHOWN);

    assert_int_equal(msg_send(f->control, &msg), ERR_OK);
}

/* Gives the keeper the channels of a worker, and hears of the certificate. */
static void connect_worker(struct fixture *f)
{
    static const enum msg_fd_kind kinds[LINKS] = {
        [CALLS] = MSG_FD_CALLS, [NOTICES] = MSG_FD_NOTICES, [REACTOR] = MSG_FD_REACTOR};
    static const enum msg_channel_kind channels[LINKS] = {
        [CALLS] = MSG_CALLS, [NOTICES] = MSG_NOTICES, [REACTOR] = MSG_REACTOR};

    close_links(f);
    for (size_t i = 0; i < LINKS; i++) {
        struct msg msg = MSG_NEW(MSG_KEEPER_WORKER);
        int ends[2] = {-1, -1};

        assert_int_equal(channel_pair(ends), ERR_OK);
        assert_int_equal(channel_set_timeout(ends[1], WAIT_MS), ERR_OK);
        assert_int_equal(msg_channel_new(ends[1], channels[i], MSG_LOWER, &f->links[i]), ERR_OK);
        msg.fd = ends[0];
        msg.as.with_fd.kind = (uint32_t)kinds[i];
        msg.as.with_fd.index = (uint32_t)i;
        assert_int_equal(msg_send(f->control, &msg), ERR_OK);
        (void)close(ends[0]);
    }
    assert_int_equal(msg_recv(f->links[NOTICES], MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_CERT);
    f->certificate = f->in.as.cert.number;
    f->leaf = f->in.as.cert.leaf;
    assert_int_equal(msg_recv(f->links[NOTICES], MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_TICKETS);
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *const f = &fixture;

    fault_clear();
    fixture = (struct fixture){.temp = temp_dir_make(), .swtpm = swtpm_new(), .keeper_dir = -1, .generation = -1,
                                .tick_ms = KEEPER_TICK_MS, .pin = ""};
    assert_int_equal(datadir_open(f->temp.path, &f->dir), ERR_OK);
    assert_int_equal(
        datadir_open_for(f->dir, "keeper", board_desc.keeper_uid, board_desc.keeper_gid, &f->keeper_dir), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *const f = *state;

    msg_channel_free(f->control);
    close_links(f);
    if (f->pid > 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    (void)close(f->keeper_dir);
    (void)close(f->generation);
    datadir_close(f->dir);
    swtpm_free(f->swtpm);
    temp_dir_remove(&f->temp);
    fault_clear();
    return 0;
}

/* Another TPM is put in: the next start finds the box locked. */
static void change_tpm(struct fixture *f)
{
    swtpm_free(f->swtpm);
    f->swtpm = swtpm_new();
}

static void lock(struct fixture *f)
{
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    tell_shown(f);
    stop(f);
    change_tpm(f);
    assert_int_equal(start(f), BOARD_LOCKED);
}

/* As it is when words were heard and no word of that reached the keeper. */
static void kill_keeper(struct fixture *f)
{
    assert_int_equal(kill(f->pid, SIGKILL), 0);
    assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
    f->pid = 0;
    msg_channel_free(f->control);
    f->control = NULL;
    close_links(f);
}

/* --- being the worker --- */

static enum err ask(struct fixture *f, enum link_at link, const struct msg *question)
{
    TRY(msg_send(f->links[link], question));
    return msg_recv(f->links[link], MSG_OPERATIONAL, &f->in);
}

static struct msg unlock_with(struct span words)
{
    struct msg msg = MSG_NEW(MSG_UNLOCK);

    msg.as.unlock.request = 7;
    msg.as.unlock.kind = MSG_UNLOCK_RECOVERY;
    assert_int_equal(MSG_SET(&msg.as.unlock.text, words), ERR_OK);
    return msg;
}

/* Over the reactor's channel; the box is operational then. */
static void assert_unlocks(struct fixture *f, const struct msg *unlock)
{
    enum board_state now = BOARD_LOCKED;

    connect_worker(f);
    assert_int_equal(ask(f, REACTOR, unlock), ERR_OK);
    assert_int_equal(f->in.type, MSG_UNLOCKED);
    assert_int_equal(f->in.as.unlocked.err, ERR_OK);
    hear_state(f, &now);
    assert_int_equal(now, BOARD_OPERATIONAL);
}

/* Starts a keeper that is told that the words were shown: it tells no others, and those open the box. */
static void assert_first_words_stay(struct fixture *f, const struct msg_recovery *first)
{
    const struct msg words = unlock_with(MSG_VIEW(first));

    f->shown = true;
    f->words.len = 0;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    assert_int_equal(f->words.len, 0);
    assert_int_equal(f->first, 0);
    stop(f);
    f->shown = false; /* it was noted */
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    assert_int_equal(f->words.len, 0);
    stop(f);
    change_tpm(f);
    assert_int_equal(start(f), BOARD_LOCKED);
    assert_unlocks(f, &words);
}

static struct msg sign_with(uint32_t certificate)
{
    static const uint8_t transcript[SHA256_BYTES] = {1, 2, 3};
    struct msg msg = MSG_NEW(MSG_SIGN_TLS13);

    msg.as.sign_tls13.request = 8;
    msg.as.sign_tls13.certificate = certificate;
    assert_int_equal(MSG_SET(&msg.as.sign_tls13.transcript, span_array(transcript)), ERR_OK);
    return msg;
}

static void assert_all_links_closed(struct fixture *f)
{
    for (size_t i = 0; i < LINKS; i++) {
        assert_int_equal(msg_recv(f->links[i], MSG_OPERATIONAL, &f->in), ERR_CLOSED);
    }
}

static void assert_offence(struct fixture *f)
{
    assert_int_equal(hear(f), ERR_OK);
    assert_int_equal(f->in.type, MSG_KEEPER_OFFENCE);
    assert_all_links_closed(f);
}

/* --- tests --- */

static void a_signature_is_of_the_content_that_the_keeper_built(void **state)
{
    struct fixture *const f = *state;
    static const uint8_t transcript[SHA256_BYTES] = {1, 2, 3};
    static struct x509_info info;
    uint8_t content[64 + 33 + 1 + SHA256_BYTES];
    uint8_t digest[SHA256_BYTES];
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    connect_worker(f);
    const struct msg question = sign_with(f->certificate);

    assert_int_equal(ask(f, REACTOR, &question), ERR_OK);

    assert_int_equal(f->in.type, MSG_SIGNED);
    assert_int_equal(f->in.as.signature.err, ERR_OK);
    memset(content, ' ', 64);
    memcpy(content + 64, "TLS 1.3, server CertificateVerify", 34); /* with its NUL */
    memcpy(content + 98, transcript, sizeof(transcript));
    sha256(span_array(content), digest);
    assert_int_equal(x509_read(MSG_VIEW(&f->leaf), &info), ERR_OK);
    assert_int_equal(
        sign_verify_der(info.public_key, span_array(digest), MSG_VIEW(&f->in.as.signature.signature), SIGN_LOW_S),
        ERR_OK);
    stop(f);
}

static void a_worker_that_sends_nonsense_loses_every_channel(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    connect_worker(f);

    assert_int_equal(send(msg_channel_fd(f->links[REACTOR]), "nonsense", 8, 0), 8);

    assert_offence(f);
    stop(f);
}

/* Whoever took the worker over while it served strangers, locked, must not be there when keys are. */
static void the_worker_that_unlocked_the_box_gets_no_key_of_it(void **state)
{
    struct fixture *const f = *state;
    const struct msg question = MSG_NEW(MSG_KEY_NEW);
    enum board_state now = BOARD_LOCKED;
    lock(f);
    connect_worker(f);
    const struct msg words = unlock_with(MSG_VIEW(&f->words));

    assert_int_equal(ask(f, REACTOR, &words), ERR_OK);

    assert_int_equal(f->in.type, MSG_UNLOCKED);
    assert_int_equal(f->in.as.unlocked.request, 7);
    assert_int_equal(f->in.as.unlocked.err, ERR_OK);
    hear_state(f, &now);
    assert_int_equal(now, BOARD_OPERATIONAL);
    assert_int_equal(ask(f, CALLS, &question), ERR_CLOSED);
    assert_all_links_closed(f);
    connect_worker(f);
    assert_int_equal(ask(f, CALLS, &question), ERR_OK);
    assert_int_equal(f->in.type, MSG_KEY);
    stop(f);
}

static void a_keeper_that_died_before_it_heard_that_its_words_were_shown_has_them_stay(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    assert_int_not_equal(f->words.len, 0);
    assert_int_equal(f->first, 1);
    const struct msg_recovery first = f->words;

    kill_keeper(f);

    assert_first_words_stay(f, &first);
    stop(f);
}

/* The PIN was given to the first keeper alone, so the next one finds the words unseen when somebody types it. */
static void words_that_were_shown_stay_when_a_pin_unlocks_the_box_after_its_keeper_died(void **state)
{
    struct fixture *const f = *state;
    struct msg pin = unlock_with(span_lit("1234-abcd"));
    pin.as.unlock.kind = MSG_UNLOCK_PIN;
    f->pin = "1234-abcd";
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    const struct msg_recovery first = f->words;
    const struct msg words = unlock_with(MSG_VIEW(&first));
    kill_keeper(f);
    f->pin = "";
    f->shown = true;
    assert_int_equal(start(f), BOARD_LOCKED);

    assert_unlocks(f, &pin);

    assert_int_equal(f->first, 0);
    stop(f);
    change_tpm(f);
    assert_int_equal(start(f), BOARD_LOCKED);
    assert_unlocks(f, &words);
    stop(f);
}

static void the_certificate_of_the_locked_box_is_another_than_the_operational_one(void **state)
{
    struct fixture *const f = *state;
    static struct x509_info operational;
    static struct x509_info locked;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    connect_worker(f);
    assert_int_equal(x509_read(MSG_VIEW(&f->leaf), &operational), ERR_OK);
    tell_shown(f);
    stop(f);
    assert_int_equal(unlinkat(f->keeper_dir, "root.seal", 0), 0);

    assert_int_equal(start(f), BOARD_LOCKED);

    connect_worker(f);
    assert_int_equal(x509_read(MSG_VIEW(&f->leaf), &locked), ERR_OK);
    assert_memory_not_equal(operational.public_key, locked.public_key, SIGN_PUBLIC_BYTES);
    stop(f);
}

static void a_keeper_shows_a_sign_of_life_each_time_that_it_is_asked(void **state)
{
    struct fixture *const f = *state;
    const struct msg question = MSG_NEW(MSG_KEEPER_ASK);
    assert_int_equal(start(f), BOARD_OPERATIONAL);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(msg_send(f->control, &question), ERR_OK);
        assert_int_equal(hear(f), ERR_OK);
        assert_int_equal(f->in.type, MSG_KEEPER_ANSWER);
    }

    stop(f);
}

/* What the worker hears next is a new certificate for that name; the keeper's end of it signs. */
static void assert_renewed(struct fixture *f, const char *name)
{
    static struct x509_info info;
    const uint32_t before = f->certificate;

    assert_int_equal(msg_recv(f->links[NOTICES], MSG_OPERATIONAL, &f->in), ERR_OK);
    assert_int_equal(f->in.type, MSG_CERT);
    assert_true(f->in.as.cert.number > before);
    assert_int_equal(x509_read(MSG_VIEW(&f->in.as.cert.leaf), &info), ERR_OK);
    assert_int_equal(info.names.dns_count, 1);
    assert_true(span_equal(span_of(info.names.dns[0].text, info.names.dns[0].len), span_str(name)));
    const struct msg question = sign_with(f->in.as.cert.number);
    assert_int_equal(ask(f, REACTOR, &question), ERR_OK);
    assert_int_equal(f->in.type, MSG_SIGNED);
    assert_int_equal(f->in.as.signature.err, ERR_OK);
}

static void another_name_gives_the_worker_another_certificate_without_a_restart(void **state)
{
    struct fixture *const f = *state;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    connect_worker(f);

    tell_name(f, span_lit("other.example"));

    assert_renewed(f, "other.example");
    stop(f);
}

static void a_renewal_that_failed_is_made_up_for_at_a_tick(void **state)
{
    struct fixture *const f = *state;
    const struct msg question = MSG_NEW(MSG_KEEPER_ASK);
    f->tick_ms = 100;
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    connect_worker(f);
    assert_int_equal(fchmod(f->keeper_dir, S_IRUSR | S_IXUSR), 0); /* as a disk that cannot be written for a while */
    tell_name(f, span_lit("other.example"));
    assert_int_equal(msg_send(f->control, &question), ERR_OK);
    assert_int_equal(hear(f), ERR_OK);
    assert_int_equal(f->in.type, MSG_KEEPER_ANSWER); /* it has tried, and there is no new CA to tell */

    assert_int_equal(fchmod(f->keeper_dir, S_IRWXU), 0);

    assert_renewed(f, "other.example");
    stop(f);
}

/* The generation of this machine, as a platform keeps it. */
static void be_copied(struct fixture *f, uint8_t into)
{
    const uint8_t now[HAL_VMGENID_BYTES] = {into};

    assert_int_equal(pwrite(f->generation, now, sizeof now, 0), sizeof now);
}

/* Its twin draws the same numbers: two signatures with one of them would tell the private key. */
static void attack_19_a_keeper_of_a_copied_machine_signs_nothing_and_makes_no_key(void **state)
{
    struct fixture *const f = *state;
    f->generation = memfd_create("generation", MFD_CLOEXEC);
    be_copied(f, 1);

    for (uint8_t copies = 2; copies <= 3; copies++) {
        const enum link_at link = copies == 2 ? REACTOR : CALLS;
        int status = 0;
        assert_int_equal(start(f), BOARD_OPERATIONAL);
        connect_worker(f);
        const struct msg question = copies == 2 ? sign_with(f->certificate) : MSG_NEW(MSG_KEY_NEW);
        assert_int_equal(ask(f, link, &question), ERR_OK);
        assert_int_equal(f->in.type, copies == 2 ? MSG_SIGNED : MSG_KEY);

        be_copied(f, copies);

        assert_int_equal(ask(f, link, &question), ERR_CLOSED);
        assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        f->pid = 0;
        msg_channel_free(f->control);
        f->control = NULL;
    }
}

static void a_keeper_at_work_is_told_of_no_other_generation(void **state)
{
    struct fixture *const f = *state;
    struct msg again = MSG_NEW(MSG_KEEPER_GENERATION);
    f->generation = memfd_create("generation", MFD_CLOEXEC);
    be_copied(f, 1);
    assert_int_equal(start(f), BOARD_OPERATIONAL);
    again.fd = f->generation;

    assert_int_equal(msg_send(f->control, &again), ERR_OK);

    assert_int_equal(hear(f), ERR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signature_is_of_the_content_that_the_keeper_built, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_sends_nonsense_loses_every_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(the_worker_that_unlocked_the_box_gets_no_key_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_keeper_that_died_before_it_heard_that_its_words_were_shown_has_them_stay, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(words_that_were_shown_stay_when_a_pin_unlocks_the_box_after_its_keeper_died,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_name_gives_the_worker_another_certificate_without_a_restart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_renewal_that_failed_is_made_up_for_at_a_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(a_keeper_shows_a_sign_of_life_each_time_that_it_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(attack_19_a_keeper_of_a_copied_machine_signs_nothing_and_makes_no_key, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_keeper_at_work_is_told_of_no_other_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(the_certificate_of_the_locked_box_is_another_than_the_operational_one, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("keeper_keeper", tests, NULL, NULL);
}
