/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TODO: think */
/* TODO #12: think */
