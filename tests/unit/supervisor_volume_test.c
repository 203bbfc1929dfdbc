/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's side of the data volume, on a board that has one: what is defined here is not taken from the archive. */
#include "firmware/supervisor/supervisor_int.h"

#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "firmware/init_link.h"
#include "hal/base/fault.h"
#include "hal/board.h"
#include "hal/socket.h"
#include "tests/lib/temp.h"

const struct board_desc board_desc = {
    .name = "volume", .tcti = "", .watchdog = "", .vmgenid = "", .data_volume = true,
    .worker_uid = 100, .worker_gid = 100,
};

static struct {
    struct temp_dir temp;
    struct options options;
    struct supervisor supervisor;
    int init; /* the first process's end */
    struct init_time time;
} box;

static int make(void **state)
{
    int ends[2];

    (void)state;
    memset(&box, 0, sizeof(box));
    box.temp = temp_dir_make();
    assert_int_equal(channel_pair(ends), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[0]), ERR_OK);
    assert_int_equal(channel_set_nonblocking(ends[1]), ERR_OK);
    box.init = ends[1];
    box.options.init_fd = ends[0];
    box.supervisor.options = &box.options;
    box.supervisor.worker_dir = -1;
    box.supervisor.state = BOARD_OPERATIONAL;
    box.supervisor.status = hal_status_log();
    assert_int_equal(datadir_open(box.temp.path, &box.supervisor.dir), ERR_OK);
    return 0;
}

static int done(void **state)
{
    (void)state;
    socket_close(box.init);
    socket_close(box.options.init_fd);
    socket_close(box.supervisor.worker_dir);
    datadir_close(box.supervisor.dir);
    temp_dir_remove(&box.temp);
    fault_clear();
    return 0;
}

static void the_volume_is_asked_for_once_and_awaited(void **state)
{
    enum init_request request = INIT_RESTART;

    assert_false(supervisor_has_volume(&box.supervisor));
    assert_false(supervisor_has_volume(&box.supervisor));

    assert_int_equal(init_link_hear(box.init, &request, &box.time), ERR_OK);
    assert_int_equal(request, INIT_MAP_VOLUME);
    assert_int_equal(init_link_hear(box.init, &request, &box.time), ERR_AGAIN);
}

static void a_worker_of_a_locked_box_needs_no_volume(void **state)
{
    enum init_request request = INIT_RESTART;
    box.supervisor.state = BOARD_LOCKED;

    assert_true(supervisor_has_volume(&box.supervisor));
    assert_int_equal(init_link_hear(box.init, &request, &box.time), ERR_AGAIN);
}

static void without_a_first_process_there_is_no_volume_to_wait_for(void **state)
{
    const int link = box.options.init_fd;
    box.options.init_fd = -1;

    assert_true(supervisor_has_volume(&box.supervisor));
    box.options.init_fd = link;
}

static void the_worker_gets_the_directory_as_it_is_after_the_answer(void **state)
{
    assert_int_equal(supervisor_open_worker_dir(&box.supervisor), ERR_OK);
    const int before = dup(box.supervisor.worker_dir);
    assert_false(supervisor_has_volume(&box.supervisor));
    assert_int_equal(unlinkat(datadir_fd(box.supervisor.dir), "db", AT_REMOVEDIR), 0); /* what lies there now is another */
    assert_int_equal(init_link_answer(box.init, ERR_OK), ERR_OK);

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);

    struct stat old;
    struct stat now;
    assert_true(supervisor_has_volume(&box.supervisor));
    assert_false(box.supervisor.given_up);
    assert_int_equal(fstat(before, &old), 0);
    assert_int_equal(fstat(box.supervisor.worker_dir, &now), 0);
    assert_int_equal(old.st_nlink, 0);
    assert_int_not_equal(now.st_nlink, 0);
    close(before);
}

static void without_its_volume_a_box_serves_no_rows(void **state)
{
    assert_false(supervisor_has_volume(&box.supervisor));
    assert_int_equal(init_link_answer(box.init, ERR_IO), ERR_OK);

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);

    assert_true(supervisor_has_volume(&box.supervisor));
    assert_true(box.supervisor.given_up);
    assert_int_equal(box.supervisor.failure, LIFE_REASON_STORAGE_DAMAGED);
}

static void the_answer_about_a_clock_is_not_taken_for_the_volume(void **state)
{
    enum init_request request = INIT_RESTART;
    box.supervisor.clock = hal_clock_system();
    box.supervisor.clock_asked = true; /* by a worker that has ended since */

    assert_false(supervisor_has_volume(&box.supervisor));
    assert_int_equal(init_link_hear(box.init, &request, &box.time), ERR_AGAIN);
    assert_int_equal(init_link_answer(box.init, ERR_RANGE), ERR_OK);
    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);

    assert_false(box.supervisor.given_up);
    assert_false(supervisor_has_volume(&box.supervisor));
    assert_int_equal(init_link_hear(box.init, &request, &box.time), ERR_OK);
    assert_int_equal(request, INIT_MAP_VOLUME);
}

static void an_answer_that_nobody_asked_for_is_an_error(void **state)
{
    assert_int_equal(init_link_answer(box.init, ERR_OK), ERR_OK);

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_STATE);
    assert_int_equal(box.supervisor.volume, VOLUME_NOT_ASKED);
}

static void a_first_process_that_is_gone_is_an_error(void **state)
{
    socket_close(box.init);
    box.init = -1;

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_CLOSED);
}

static void an_event_without_a_message_changes_nothing(void **state)
{
    assert_false(supervisor_has_volume(&box.supervisor));

    assert_int_equal(supervisor_on_init(&box.supervisor), ERR_OK);
    assert_int_equal(box.supervisor.volume, VOLUME_ASKED);
}

#define WITH_BOX(test) cmocka_unit_test_setup_teardown(test, make, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOX(the_volume_is_asked_for_once_and_awaited),
        WITH_BOX(a_worker_of_a_locked_box_needs_no_volume),
        WITH_BOX(without_a_first_process_there_is_no_volume_to_wait_for),
        WITH_BOX(the_worker_gets_the_directory_as_it_is_after_the_answer),
        WITH_BOX(without_its_volume_a_box_serves_no_rows),
        WITH_BOX(the_answer_about_a_clock_is_not_taken_for_the_volume),
        WITH_BOX(an_answer_that_nobody_asked_for_is_an_error),
        WITH_BOX(a_first_process_that_is_gone_is_an_error),
        WITH_BOX(an_event_without_a_message_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
