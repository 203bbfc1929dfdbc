/* SPDX-License-Identifier: GPL-3.0-or-later */
void tpm_reset(void) __attribute__((weak));
