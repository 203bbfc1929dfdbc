/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hal/status.h as the host has it: every light and sound is one line of the log, with a word of its own. */
#include "hal/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hal/base/log.h"

struct capture {
    FILE *file;
    int stderr_fd;
    char text[2048];
};

static void start_capture(struct capture *capture)
{
    memset(capture, 0, sizeof(*capture));
    capture->file = tmpfile();
    assert_non_null(capture->file);
    capture->stderr_fd = dup(STDERR_FILENO);
    dup2(fileno(capture->file), STDERR_FILENO);
    log_open("test", LOG_INFO);
}

/* What was logged; standard error is given back. */
static const char *end_capture(struct capture *capture)
{
    dup2(capture->stderr_fd, STDERR_FILENO);
    close(capture->stderr_fd);
    rewind(capture->file);
    capture->text[fread(capture->text, 1, sizeof(capture->text) - 1, capture->file)] = '\0';
    fclose(capture->file);
    return capture->text;
}

/* Each of the words is in the text once, in this order, in lines of their own. */
static void assert_lines(const char *text, const char *event, const char *field, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char value[64];
        const char *const end = strchr(text, '\n');
        assert_non_null(end);
        snprintf(value, sizeof(value), "\"%s\":\"%s\"", field, words[i]);
        const char *const named = strstr(text, event);
        const char *const found = strstr(text, value);
        assert_true(named != NULL && named < end);
        assert_true(found != NULL && found < end);
        text = end + 1;
    }
    assert_string_equal(text, "");
}

static void every_light_is_one_line_with_its_word(void **state)
{
    static const char *const words[HAL_LIGHT_COUNT] = {"off",    "starting",    "unprovisioned",
                                                       "locked", "operational", "failed"};
    struct capture capture;
    start_capture(&capture);

    for (int light = 0; light < HAL_LIGHT_COUNT; light++) {
        hal_status_light(hal_status_log(), (enum hal_light)light);
    }

    assert_lines(end_capture(&capture), "status-light", "light", words, HAL_LIGHT_COUNT);
}

static void every_sound_is_one_line_with_its_word(void **state)
{
    static const char *const words[HAL_SOUND_COUNT] = {"acknowledge", "alarm"};
    struct capture capture;
    start_capture(&capture);

    for (int sound = 0; sound < HAL_SOUND_COUNT; sound++) {
        hal_status_sound(hal_status_log(), (enum hal_sound)sound);
    }

    assert_lines(end_capture(&capture), "status-sound", "sound", words, HAL_SOUND_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_light_is_one_line_with_its_word),
        cmocka_unit_test(every_sound_is_one_line_with_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
