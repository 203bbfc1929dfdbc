/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    char *text = malloc(4);
    engine->free(text);
}
