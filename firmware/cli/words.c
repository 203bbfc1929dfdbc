/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One row of a table for each option. */
#include "firmware/cli/words.h"

#include <stdio.h>
#include <string.h>

#include "firmware/cli/cli.h"
#include "hal/base/fault.h"
#include "hal/socket.h"

#define HTTPS_PORT 443

const char cli_usage[] =
    "       rowlock update FILE --url https://HOST[:PORT] --ca FILE --email ADDRESS [--name NAME]\n"
    "                     [--password-file FILE] [--install] [--json]\n"
    "       rowlock plan-secure-boot FILE --url https://HOST[:PORT] --ca FILE --email ADDRESS [--name NAME]\n"
    "                     [--password-file FILE] [--json]\n";

static enum err set_url(const char *value, struct words *words)
{
    const struct span scheme = span_lit("https://");
    const struct span url = span_str(value);
    uint64_t port = HTTPS_PORT;

    ENSURE(span_starts_with(url, scheme), ERR_MALFORMED, "not https");
    struct span rest = span_of(url.data + scheme.len, url.len - scheme.len);
    if (rest.len != 0 && rest.data[rest.len - 1] == '/') {
        rest.len--;
    }
    const bool bracketed = rest.len != 0 && rest.data[0] == '[';
    const size_t host_end = bracketed ? span_find(rest, ']') : span_find(rest, ':');
    words->host = bracketed ? span_of(rest.data + 1, host_end - 1) : span_of(rest.data, host_end);
    ENSURE(host_end + (bracketed ? 1u : 0u) <= rest.len && words->host.len != 0 && span_find(words->host, '/') == words->host.len,
           ERR_MALFORMED, "no host");
    const size_t at = host_end + (bracketed ? 1u : 0u);
    if (at < rest.len) {
        ENSURE(rest.data[at] == ':', ERR_MALFORMED, "something behind the host");
        TRY(span_to_u64(span_of(rest.data + at + 1, rest.len - at - 1), UINT16_MAX, &port));
    }
    words->port = (uint16_t)port;
    return ERR_OK;
}

static enum err set_ca(const char *value, struct words *words)
{
    words->ca = value;
    return ERR_OK;
}

static enum err set_name(const char *value, struct words *words)
{
    words->name = span_str(value);
    ENSURE(words->name.len != 0, ERR_MALFORMED, "no name");
    return ERR_OK;
}

static enum err set_email(const char *value, struct words *words)
{
    words->email = value;
    return ERR_OK;
}

static enum err set_password_file(const char *value, struct words *words)
{
    words->password_file = value;
    return ERR_OK;
}

static enum err set_install(const char *value, struct words *words)
{
    (void)value; /* has none */
    words->install = true;
    return ERR_OK;
}

static enum err set_json(const char *value, struct words *words)
{
    (void)value; /* has none */
    words->json = true;
    return ERR_OK;
}

#define FOR(command) (1u << (command))
#define FOR_ALL      (FOR(WORDS_UPDATE) | FOR(WORDS_PLAN))

static const struct option {
    const char *name;
    bool has_value;
    unsigned int commands;
    enum err (*set)(const char *value, struct words *words);
} options[] = {
    {"--url", true, FOR_ALL, set_url},
    {"--ca", true, FOR_ALL, set_ca},
    {"--name", true, FOR_ALL, set_name},
    {"--email", true, FOR_ALL, set_email},
    {"--password-file", true, FOR_ALL, set_password_file},
    {"--json", false, FOR_ALL, set_json},
    {"--install", false, FOR(WORDS_UPDATE), set_install},
};

static const struct option *find(enum words_command command, const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        if ((options[i].commands & FOR(command)) != 0 && strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static enum err wrong(const char *word, const char *why)
{
    (void)fprintf(stderr, "rowlock: %s: %s\n", word, why); /* the exit status says it, too */
    FAIL(ERR_MALFORMED, "the command line", 0);
}

static enum err take_option(enum words_command command, size_t *at, size_t argc, char **argv, struct words *words)
{
    const char *const name = argv[*at];
    const struct option *const option = find(command, name);

    if (option == NULL) {
        return wrong(name, "no such option");
    }
    if (option->has_value) {
        (*at)++;
        if (*at == argc) {
            return wrong(name, "needs a value");
        }
    }
    return option->set(option->has_value ? argv[*at] : NULL, words) == ERR_OK ? ERR_OK : wrong(name, "cannot be that");
}

static enum err check(const struct words *words)
{
    struct socket_address address;

    if (words->host.len == 0) {
        return wrong("--url", "is needed");
    }
    if (words->name.len == 0 && socket_address_parse(words->host, &address) == ERR_OK) {
        return wrong("--name", "is needed with an address: what the certificate says");
    }
    fault_clear();
    if (words->ca == NULL) {
        return wrong("--ca", "is needed");
    }
    if (words->email == NULL) {
        return wrong("--email", "is needed");
    }
    return words->file == NULL ? wrong("FILE", "is needed") : ERR_OK;
}

enum err words_read(enum words_command command, size_t argc, char **argv, struct words *out_words)
{
    struct words words = {.port = HTTPS_PORT};

    for (size_t at = 0; at < argc; at++) {
        if (argv[at][0] == '-') {
            TRY(take_option(command, &at, argc, argv, &words));
        } else if (words.file == NULL) {
            words.file = argv[at];
        } else {
            return wrong(argv[at], "one too many");
        }
    }
    TRY(check(&words));
    words.name = words.name.len != 0 ? words.name : words.host;
    *out_words = words;
    return ERR_OK;
}
