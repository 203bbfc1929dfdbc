/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one program. `serve`, `fsck` and `version` are for people, as are the commands of firmware/cli, for a box elsewhere. `keeper`,
 * `worker`, `courier`, `updater` and `starter` are started by the supervisor, with descriptors at fixed numbers, and `init` by
 * the kernel of a box: they are of no use otherwise. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "firmware/cli/cli.h"
#include "firmware/courier/courier.h"
#include "firmware/init/init.h"
#include "firmware/keeper/keeper.h"
#include "firmware/supervisor/options.h"
#include "firmware/supervisor/starter.h"
#include "firmware/supervisor/supervisor.h"
#include "firmware/updater/updater.h"
#include "firmware/worker/about.h"
#include "firmware/worker/worker.h"
#include "hal/base/attr.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/process.h"
#include "net/json.h"

#define USAGE_STATUS 2

static int usage(FILE *stream)
{
    (void)fputs("usage: rowlock serve --data DIR [--tcti STRING] [--listen ADDR] [--port N] [--http-port N]\n"
                "                     [--name NAME]... [--json] [--pin-fd N]\n"
                "                     [--net-interface NAME|tap:NAME [--net-address ADDR/BITS]... [--net-gateway ADDR]\n"
                "                      [--net-dns ADDR]...]\n"
                "                     [--admin-listen ADDR [--admin-port N]]\n"
                "       rowlock fsck --data DIR [--tcti STRING] [--pin-fd N]\n"
                "       rowlock version\n",
                stream); /* nobody to tell if this fails */
    (void)fputs(cli_usage, stream); /* as above */
    (void)fputs("exit status of fsck: 0 nothing is damaged, 1 something is, 2 it could not be checked\n"
                "exit status of commands with --url: 0 done, 1 the box refused, or a local file cannot be read, 2 not understood,\n"
                "                     3 not signed in, 4 no connection to that box\n",
                stream); /* nobody to tell if this fails */
    return USAGE_STATUS;
}

static int serve(int argc, char **argv)
{
    struct options options;

    if (options_read((size_t)argc, argv, &options) != ERR_OK) {
        return usage(stderr);
    }
    return supervisor_serve(&options);
}

static int fsck(int argc, char **argv)
{
    struct options options;

    if (options_read((size_t)argc, argv, &options) != ERR_OK) {
        return usage(stderr);
    }
    return supervisor_check(&options);
}

static int status_of(enum err err, const char *failed)
{
    if (err == ERR_OK) {
        return 0;
    }
    log_fault(LOG_ERROR, failed);
    return 1;
}

static int keeper(int argc, char **argv)
{
    struct keeper *keeper = NULL;

    (void)argv; /* takes none */
    process_set_name("rowlock keeper");
    if (argc != 0) {
        return usage(stderr);
    }
    log_open("keeper", LOG_INFO);
    enum err err = keeper_new(KEEPER_TICK_MS, &keeper);
    err = err == ERR_OK ? keeper_run(keeper) : err;
    const int status =
        err == ERR_CLOSED ? 1 : status_of(err, "keeper_failed"); /* the supervisor is gone: nothing failed */
    keeper_free(keeper);
    return status;
}

/* After a failure threads may still run, so nothing is freed on the way out. */
static int run_child(const char *name, const char *failed, enum err (*run)(void))
{
    log_open(name, LOG_INFO);
    const int status = status_of(run(), failed);
    if (status != 0) {
        _exit(status);
    }
    return 0;
}

static int worker(int argc, char **argv)
{
    (void)argv; /* takes none */
    process_set_name("rowlock worker");
    return argc == 0 ? run_child("worker", "worker_failed", worker_run) : usage(stderr);
}

static int courier(int argc, char **argv)
{
    (void)argv; /* takes none */
    process_set_name("rowlock courier");
    return argc == 0 ? run_child("courier", "courier_failed", courier_run) : usage(stderr);
}

static int starter(int argc, char **argv)
{
    process_set_name("rowlock starter");
    if (argc != 1) {
        return usage(stderr);
    }
    log_open("starter", LOG_INFO);
    const enum err err = starter_run_for_board(argv[0]);
    return err == ERR_CLOSED ? 0 : status_of(err, "starter_failed"); /* the supervisor has ended */
}

static int init(int argc, char **argv)
{
    (void)argv; /* takes none */
    return argc == 0 ? init_run() : usage(stderr);
}

static int updater(int argc, char **argv)
{
    (void)argv; /* takes none */
    process_set_name("rowlock updater");
    return argc == 0 ? run_child("updater", "updater_failed", updater_run) : usage(stderr);
}

static enum err read_version(char out_version[ABOUT_VERSION_MAX + 1])
{
    struct about about;

    TRY(about_read(board_desc.image_about, &about));
    json_seed(1); /* any: there is no stranger's text in this process */
    const enum err err = about_version(&about, out_version);
    about_done(&about);
    return err;
}

/* Also what the build took of the libraries that it may choose, and what they chose on this processor. */
static int version(int argc, char **argv)
{
    struct crypto_dispatch chosen = {.wolfcrypt = NULL};
    char name[ABOUT_VERSION_MAX + 1];

    (void)argv; /* takes none */
    if (argc != 0) {
        return usage(stderr);
    }
    if (crypto_start() != ERR_OK || crypto_dispatch(&chosen) != ERR_OK || read_version(name) != ERR_OK) {
        log_fault(LOG_ERROR, "version");
        return 1;
    }
    return printf("rowlock %s\nwolfSSL %s\nlibsodium %s\nAES %s\n", name, chosen.wolfcrypt, chosen.sodium,
                  chosen.aes_native ? "by the processor's instructions" : "in software") > 0 ? 0 : 1;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* the words after the name */
} commands[] = {{"serve", serve}, {"fsck", fsck}, {"keeper", keeper}, {"worker", worker},
              {"courier", courier}, {"updater", updater}, {"version", version}, {"init", init}, {"starter", starter},
              {"update", cli_update}, {"plan-secure-boot", cli_plan_secure_boot}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 2, argv + 2);
        }
    }
    return usage(stderr);
}
