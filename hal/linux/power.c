/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/power.h"

#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

#include "hal/base/log.h"

#define REFUSED_STATUS 1

NO_RETURN static void end(int how)
{
    sync();
    (void)tcdrain(STDERR_FILENO); /* a serial console has the last lines still to print; what is no terminal has not */
    (void)reboot(how);            /* returns only if it is refused */
    log_event(LOG_ERROR, "restart-refused", NULL, 0);
    _exit(REFUSED_STATUS);
}

NO_RETURN void power_restart(void)
{
    end(RB_AUTOBOOT);
}

NO_RETURN void power_off(void)
{
    end(RB_POWER_OFF);
}
