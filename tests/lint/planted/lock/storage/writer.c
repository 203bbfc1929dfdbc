/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    pthread_mutex_lock(&lock);
}
