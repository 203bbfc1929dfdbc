/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The load for full handshakes: so many threads that each connect, make a full TLS 1.3 handshake over X25519, send one
 * request that closes, read its answer to the end, and begin again. wrk does not serve for this: it offers the ticket of
 * the connection before. A handshake that was resumed, or an answer that is not 200, is an error. Prints requests per
 * second, p50 and p99 in milliseconds, requests and errors. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256
#define TIMES_MAX 100000 /* of one thread */

struct client {
    pthread_t thread;
    WOLFSSL_CTX *context;
    uint16_t port;
    const char *request;
    double until;
    double *times;
    size_t count;
    size_t errors;
};

static double now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool exchange(const struct client *client, WOLFSSL *ssl)
{
    const int len = (int)strlen(client->request);
    char answer[4096] = {0};
    int got = 0;

    if (wolfSSL_UseKeyShare(ssl, WOLFSSL_ECC_X25519) != WOLFSSL_SUCCESS || wolfSSL_connect(ssl) != WOLFSSL_SUCCESS ||
        wolfSSL_session_reused(ssl) != 0 || wolfSSL_write(ssl, client->request, len) != len) {
        return false;
    }
    size_t have = 0;
    do { /* until the server closes */
        got = wolfSSL_read(ssl, answer + have, (int)(sizeof(answer) - 1 - have));
        have += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    return strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static bool connect_once(const struct client *client)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(client->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int yes = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    WOLFSSL *const ssl = wolfSSL_new(client->context);
    bool good = fd >= 0 && ssl != NULL && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0 &&
                connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                wolfSSL_set_fd(ssl, fd) == WOLFSSL_SUCCESS;

    good = good && exchange(client, ssl);
    wolfSSL_free(ssl);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

static void *run(void *argument)
{
    struct client *const client = argument;

    for (double start = now(); start < client->until; start = now()) {
        if (!connect_once(client)) {
            client->errors++;
        } else if (client->count < TIMES_MAX) {
            client->times[client->count++] = now() - start;
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const double *const x = a;
    const double *const y = b;

    return (*x > *y) - (*x < *y);
}

static void report(const struct client *clients, size_t threads, double seconds)
{
    double *const all = calloc(threads * TIMES_MAX, sizeof(double));
    size_t count = 0;
    size_t errors = 0;

    if (all == NULL) {
        exit(1);
    }
    for (size_t i = 0; i < threads; i++) {
        memcpy(all + count, clients[i].times, clients[i].count * sizeof(double));
        count += clients[i].count;
        errors += clients[i].errors;
    }
    qsort(all, count, sizeof(double), compare);
    printf("%.1f %.3f %.3f %zu %zu\n", (double)count / seconds, count > 0 ? all[count / 2] * 1e3 : 0,
           count > 0 ? all[count * 99 / 100] * 1e3 : 0, count, errors);
    free(all);
}

int main(int argc, char **argv)
{
    static struct client clients[THREADS_MAX];
    char request[1024];

    if (argc != 6 || wolfSSL_Init() != WOLFSSL_SUCCESS) {
        fprintf(stderr, "usage: handshakes PORT PATH API_KEY SECONDS CONNECTIONS\n");
        return 2;
    }
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\nConnection: close\r\n\r\n",
             argv[2], argv[3]);
    WOLFSSL_CTX *const context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
    const double seconds = strtod(argv[4], NULL);
    const size_t threads = strtoul(argv[5], NULL, 10);
    const double start = now();

    if (context == NULL || threads == 0 || threads > THREADS_MAX) {
        return 2;
    }
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, NULL); /* as wrk: the servers are measured */
    for (size_t i = 0; i < threads; i++) {
        clients[i] = (struct client){.context = context,
                                     .port = (uint16_t)strtoul(argv[1], NULL, 10),
                                     .request = request,
                                     .until = start + seconds,
                                     .times = calloc(TIMES_MAX, sizeof(double))};
        if (clients[i].times == NULL || pthread_create(&clients[i].thread, NULL, run, &clients[i]) != 0) {
            return 1;
        }
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    report(clients, threads, now() - start);
    return 0;
}
