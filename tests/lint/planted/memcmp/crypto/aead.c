/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    if (memcmp(a, b, 16) == 0)
        return;
}
