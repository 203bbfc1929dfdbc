/* SPDX-License-Identifier: GPL-3.0-or-later */
struct row {
    unsigned int kind : 4;
};
