/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/data/data.h"
#include "storage/store.h"
#include "firmware/rls/rls.h"
