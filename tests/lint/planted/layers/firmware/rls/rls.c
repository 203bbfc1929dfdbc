/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hal/base/err.h"
#include "firmware/rls/rls.h"
