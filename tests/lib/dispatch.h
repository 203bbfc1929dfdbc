/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The statement about run-time dispatch that holds for our wolfCrypt and must not hold for one without assembly. */
#ifndef TESTS_LIB_DISPATCH_H
#define TESTS_LIB_DISPATCH_H

#include "crypto/crypto.h"

static inline bool dispatch_uses_the_processor(const struct crypto_dispatch *dispatch)
{
    return dispatch->assembly && dispatch->aes_native == dispatch->cpu_aes;
}

#endif
