/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifdef OUTSIDE
#endif
void planted(void)
{
#ifdef CONFIG_NET
    step();
#endif
}
