/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <tss2/tss2_esys.h>
