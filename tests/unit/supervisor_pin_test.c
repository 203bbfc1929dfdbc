/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is left of a PIN that the supervisor has read. */
/* link: --wrap=read --wrap=mem_wipe --wrap=sandbox_begin --wrap=datadir_open_to_give */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "firmware/supervisor/options.h"
#include "firmware/supervisor/supervisor.h"
#include "hal/base/mem.h"
#include "hal/datadir.h"
#include "hal/sandbox.h"

#define PIN "1234-abcd"

ssize_t __real_read(int fd, void *out_bytes, size_t room);
ssize_t __wrap_read(int fd, void *out_bytes, size_t room);
void __real_mem_wipe(void *bytes, size_t len);
void __wrap_mem_wipe(void *bytes, size_t len);
enum err __wrap_sandbox_begin(const struct sandbox_limits *limits);
enum err __wrap_datadir_open_to_give(const char *path, unsigned int uid, unsigned int gid, struct datadir **out_dir);

static struct {
    int fd;
    const uint8_t *place; /* where the PIN was read to */
    bool wiped;
} pin;

ssize_t __wrap_read(int fd, void *out_bytes, size_t room)
{
    if (fd == pin.fd && pin.place == NULL) {
        pin.place = out_bytes;
    }
    return __real_read(fd, out_bytes, room);
}

void __wrap_mem_wipe(void *bytes, size_t len)
{
    if (bytes == pin.place && pin.place != NULL && len >= strlen(PIN)) {
        pin.wiped = memcmp(bytes, PIN, strlen(PIN)) == 0;
    }
    __real_mem_wipe(bytes, len);
}

/* The test is no supervisor: it wants to be looked at by the sanitizers. */
enum err __wrap_sandbox_begin(const struct sandbox_limits *limits)
{
    (void)limits;
    return ERR_OK;
}

enum err __wrap_datadir_open_to_give(const char *path, unsigned int uid, unsigned int gid, struct datadir **out_dir)
{
    (void)path;
    (void)uid;
    (void)gid;
    (void)out_dir;
    return ERR_REFUSED;
}

static void a_pin_is_wiped_when_the_start_fails_after_it_was_read(void **state)
{
    int ends[2] = {-1, -1};
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], PIN "\n", sizeof PIN), sizeof PIN);
    (void)close(ends[1]);
    pin.fd = ends[0];
    const struct options options = {.data = "unused", .pin_fd = ends[0]};

    assert_int_equal(supervisor_serve(&options), 1);

    assert_non_null(pin.place);
    assert_true(pin.wiped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pin_is_wiped_when_the_start_fails_after_it_was_read),
    };

    return cmocka_run_group_tests_name("supervisor/pin", tests, NULL, NULL);
}
