/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    goto out;
out:
    return;
}
