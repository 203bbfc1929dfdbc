/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The yardstick for durable inserts: appends a 256-byte record and calls fdatasync, over and over, for some seconds, in
 * the folder given. Prints records per second. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned char record[256];
    unsigned long done = 0;

    if (argc != 3 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: fsync_rate FOLDER SECONDS\n");
        return 2;
    }
    memset(record, 'x', sizeof record);
    const double seconds = strtod(argv[2], NULL);
    const int file = open("records", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    const double start = now();

    while (file >= 0 && now() - start < seconds) {
        if (write(file, record, sizeof record) != (ssize_t)sizeof record || fdatasync(file) != 0) {
            perror("record");
            return 1;
        }
        done++;
    }
    printf("%.1f\n", (double)done / (now() - start));
    return file < 0 || close(file) != 0;
}
