/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    use(secret_reveal(key));
}
