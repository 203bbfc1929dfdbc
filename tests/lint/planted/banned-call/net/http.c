/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    strcpy(to, from); /* strcat( in a comment is no finding */
    log("sprintf(");
}
