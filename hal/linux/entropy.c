/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's generator. The object is never written to; it is not const only because the interface serves drivers
 * that are. */
#include "hal/entropy.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "hal/base/fault.h"
#include "hal/base/num.h"
#include "hal/linux/sys_int.h"

#define GETRANDOM_MAX 256 /* up to here getrandom neither stops half-way nor is interrupted */
#define WAIT_STEP_MS  50

static enum err kernel_wait_ready(struct hal_entropy *entropy UNUSED, unsigned int timeout_ms)
{
    const struct timespec step = {0, WAIT_STEP_MS * 1000000L};
    uint8_t probe = 0;

    for (unsigned int waited_ms = 0;; waited_ms += WAIT_STEP_MS) {
        if (getrandom(&probe, sizeof(probe), GRND_NONBLOCK) == 1) {
            return ERR_OK;
        }
        if (errno != EAGAIN && errno != EINTR) {
            FAIL(ERR_IO, "getrandom", errno);
        }
        ENSURE(waited_ms < timeout_ms, ERR_TIMEOUT, "the kernel's random pool is not initialised");
        (void)nanosleep(&step, NULL); /* woken early only means looking early */
    }
}

static enum err kernel_fill(struct hal_entropy *entropy UNUSED, uint8_t *out_bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const ssize_t got = getrandom(out_bytes + done, num_min(len - done, GETRANDOM_MAX), 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            FAIL(ERR_IO, "getrandom", errno);
        }
        done += (size_t)got;
    }
    return ERR_OK;
}

static const struct hal_entropy_ops kernel_ops = {kernel_wait_ready, kernel_fill};
static struct hal_entropy kernel_entropy = {&kernel_ops};

struct hal_entropy *hal_entropy_kernel(void)
{
    return &kernel_entropy;
}
