/* SPDX-License-Identifier: GPL-3.0-or-later */
static const char source[] = "/dev/urandom";
/* "/dev/urandom" in a comment is no finding */
