/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "board/host/board.h"
#include "crypto/seal.h"
