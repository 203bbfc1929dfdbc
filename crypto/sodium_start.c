/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libsodium's part of the start. The floor is 1.0.18, Debian 12's. */
#include <sodium.h>

#include "hal/base/fault.h"
#include "crypto/start_int.h"

#define FLOOR_MAJOR 10 /* of the library's interface: 10.3 is release 1.0.18 */
#define FLOOR_MINOR 3

enum err sodium_start(void)
{
    ENSURE(sodium_init() >= 0, ERR_BUG, "libsodium does not start");
    const int major = sodium_library_version_major();

    ENSURE(major > FLOOR_MAJOR || (major == FLOOR_MAJOR && sodium_library_version_minor() >= FLOOR_MINOR), ERR_VERSION,
           "libsodium is older than its floor");
    return ERR_OK;
}

const char *sodium_version(void)
{
    return sodium_version_string();
}
