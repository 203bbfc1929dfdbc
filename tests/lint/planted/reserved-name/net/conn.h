/* SPDX-License-Identifier: GPL-3.0-or-later */
typedef int connection_t;
struct conn_t {
    int fd;
};
