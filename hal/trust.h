/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CAs that this system trusts. */
#ifndef HAL_TRUST_H
#define HAL_TRUST_H

#include "hal/base/attr.h"
#include "hal/base/buf.h"
#include "hal/base/err.h"

#define TRUST_PEM_MAX ((size_t)2 << 20) /* bytes; Debian's bundle has some 220 KiB */

/* Appends the system's bundle of certificates, PEM. ERR_NOT_FOUND: it has none (package ca-certificates); ERR_RANGE: longer
 * than the buffer has room; ERR_IO, ERR_NO_MEMORY. */
enum err trust_read(struct buf *out_pem) MUST_USE;

#endif
