/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    if (memcmp(row->tag, tag, 16) == 0)
        return;
    if (memcmp(row->name, name, 16) == 0)
        return;
}
