/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the supervisor tells the person who started it, once requests are answered: one JSON line, or text with lines to
 * paste. Keys appear at the first start only. The text comes again when a worker was replaced that had a setup code to tell,
 * or a recovery key has come to light. */
#ifndef FIRMWARE_SUPERVISOR_REPORT_H
#define FIRMWARE_SUPERVISOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/msg.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/life.h"

struct report {
    struct span url;
    struct span admin_url;   /* of the port that serves the administrator; empty: the same */
    struct span ca_file;     /* absolute path, or where the reader shall put `ca` */
    struct span ca;          /* the certificate itself, for a reader who sees no files; empty: who reads the report reads the file */
    struct span fingerprint; /* SHA-256 of the certificate, in hexadecimal, to be compared by a person; empty: there is none */
    struct span project;     /* empty: not known, because the rows were never opened */
    struct span environment;
    struct span publishable; /* the last three: empty unless this is the first start */
    struct span secret;
    struct span recovery;
    struct span setup; /* makes the first operator; empty: there is one */
    enum board_state state;
    enum life_reason reason;
    bool software_tpm;
};

/* Is there room for another report, so that writing it waits for nobody? */
bool report_has_room(void);

/* Writes exactly one line of JSON to standard output. ERR_IO: nobody may have read it; ERR_NO_MEMORY, ERR_RANGE. */
enum err report_json(const struct report *report) MUST_USE;

/* The same for a person; the certificate, if there is one, comes last. */
enum err report_text(const struct report *report) MUST_USE;

#endif
