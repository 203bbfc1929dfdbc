/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands for people that speak with a box over its API, as one of its owners. They run on a machine of that person, as an ordinary
 * user and without a sandbox: what they read comes over TLS from the box whose CA was given. */
#ifndef FIRMWARE_CLI_CLI_H
#define FIRMWARE_CLI_CLI_H

/* What they end with. */
enum cli_status {
    CLI_DONE = 0,
    CLI_REFUSED = 1,     /* the box said no, or a local file cannot be read */
    CLI_USAGE = 2,       /* the command line */
    CLI_NOT_SIGNED = 3,  /* address, password or code are not right, or nobody typed them */
    CLI_NOT_REACHED = 4, /* no connection, or not to that box */
};

/* The words behind the command's name. */
int cli_update(int argc, char **argv);
int cli_plan_secure_boot(int argc, char **argv);

/* The lines of `rowlock`'s usage text that are about these commands. */
extern const char cli_usage[];

#endif
