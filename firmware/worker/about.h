/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What runs here, for all who tell it: what the image says of itself in version.json and sbom.json, or, where the program was not
 * started from an image, what the build knows. Nobody else says which version this is. */
#ifndef FIRMWARE_WORKER_ABOUT_H
#define FIRMWARE_WORKER_ABOUT_H

#include "crypto/hash.h"
#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"
#include "hal/base/span.h"

#define ABOUT_TEXT_MAX    65536 /* bytes of the answer, and of version.json */
#define ABOUT_VERSION_MAX 63    /* as in the command line of an image: boot_words.h */

struct about {
    struct buf *image; /* version.json; NULL: none */
    char sbom[2 * SHA256_BYTES + 1]; /* SHA-256 of sbom.json in hex; empty: none */
};

/* Reads both files of the folder: before the sandbox, which ends the reading of files. NULL: there is no image. Of an image
 * that lacks them the log says so, and out_about is empty. ERR_NO_MEMORY. The caller ends it with about_done(). */
enum err about_read(const char *folder, struct about *out_about) MUST_USE;
void about_done(struct about *about);

/* Appends one JSON object. A version.json that is none is logged, and counts as missing. After json_seed(). ERR_NO_MEMORY,
 * ERR_RANGE: it is longer than the buffer may be. */
enum err about_write(const struct about *about, struct buf *buf) MUST_USE;

/* The version in that object, NUL-ended: 1 to ABOUT_VERSION_MAX characters. After json_seed(). ERR_NO_MEMORY. */
enum err about_version(const struct about *about, char out_version[ABOUT_VERSION_MAX + 1]) MUST_USE;

#endif
