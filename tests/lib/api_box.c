/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_box.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/sign.h"
#include "firmware/auth/verify.h"
#include "hal/base/fault.h"
#include "hal/base/json_value.h"
#include "hal/base/log.h"
#include "net/http.h"
#include "net/json.h"
#include "net/limits.h"
#include "net/loop.h"
#include "tests/lib/api_keeper.h"

#define ARENA_MAX ((size_t)8 << 20)
#define BODY_MAX  ((size_t)8 << 20)
#define TURNS_MAX 20000

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        const struct fault_trail *trail = fault_trail();
        fprintf(stderr, "api_box: %s: %s\n", what, err_name(err));
        for (size_t i = 0; i < trail->count; i++) {
            fprintf(stderr, "  %s:%d %s\n", trail->frames[i].file, trail->frames[i].line, trail->frames[i].why);
        }
        abort();
    }
}

/* --- tokens and peppers: what the keeper does, with its own code for tokens and a pepper of the test's --- */

struct api_box_reply {
    struct loop_post post;
    struct api_token_job *tokens;
    struct api_pepper_job *pepper;
};

static void run_reply(struct loop_post *post)
{
    const struct api_box_reply reply = *(struct api_box_reply *)post;

    free(post);
    if (reply.tokens != NULL) {
        reply.tokens->done(reply.tokens, ERR_OK);
    } else {
        reply.pepper->done(reply.pepper, ERR_OK);
    }
}

static enum err reply_later(struct api_box *box, struct api_token_job *tokens, struct api_pepper_job *pepper)
{
    struct api_box_reply *reply = calloc(1, sizeof *reply);

    if (reply == NULL) {
        return ERR_NO_MEMORY; /* as the keeper answers */
    }
    *reply = (struct api_box_reply){.post = {.run = run_reply}, .tokens = tokens, .pepper = pepper};
    return loop_post(box->loop, &reply->post);
}

void api_box_token(struct api_box *box, struct span environment_id, const struct auth_claims *claims,
                   char out_token[AUTH_TOKEN_MAX + 1])
{
    struct api_box_environment *environment = api_keeper_environment(box, environment_id);
    uint8_t point[SIGN_PUBLIC_BYTES];
    struct auth_token_key key;
    struct buf *text = NULL;

    signer_public(environment->signers[environment->signs], point);
    auth_token_key_init(point, &key);
    must(buf_new(AUTH_TOKEN_MAX, &text), "buf");
    must(auth_token_issue(&key, environment->signers[environment->signs], claims, text), "token");
    memcpy(out_token, buf_all(text).data, buf_len(text));
    out_token[buf_len(text)] = 0;
    buf_free(text);
}

static void issue(struct api_box *box, const struct api_token_job *job, enum auth_token_type type, uint32_t life_s,
                  char *out_token, size_t *out_len)
{
    uint8_t id[AUTH_TOKEN_ID_BYTES];
    char id_text[BASE64URL_CHARS(AUTH_TOKEN_ID_BYTES)];
    char token[AUTH_TOKEN_MAX + 1];

    random_fill(box->random, id, sizeof id);
    base64url_encode(span_array(id), id_text);
    const struct auth_claims claims = {.type = type,
                                       .user = job->user,
                                       .session = job->session,
                                       .project = job->project_id,
                                       .environment = job->environment,
                                       .issued_s = job->issued_s,
                                       .expires_s = job->issued_s + life_s,
                                       .id = span_array(id_text)};
    api_box_token(box, job->environment_id, &claims, token);
    *out_len = strlen(token);
    memcpy(out_token, token, *out_len);
}

static enum err sign_tokens(void *context, struct api_token_job *job)
{
    struct api_box *box = context;

    job->issued_s = (hal_clock_wall(&box->calendar.base).ms + box->keeper_ahead_ms) / 1000;
    issue(box, job, AUTH_TOKEN_ACCESS, job->access_s, job->access, &job->access_len);
    issue(box, job, AUTH_TOKEN_REFRESH, job->refresh_s, job->refresh, &job->refresh_len);
    return reply_later(box, job, NULL);
}

static enum err pepper(void *context, struct api_pepper_job *job)
{
    job->version = 1;
    hmac_sha256(span_lit("pepper of a test"), span_array(job->digest), job->mac);
    return reply_later(context, NULL, job);
}

/* --- the box --- */

/* On the writer thread. */
static void on_mails(void *context, unsigned int notes)
{
    struct api_box *box = context;

    atomic_fetch_or(&box->mail_notes, notes);
}

static enum err open_data(struct api_box *box)
{
    const struct data_config config = {.path = box->dir.path,
                                       .map_bytes = UINT64_C(64) << 20,
                                       .keys = &box->keys,
                                       .slab = box->slab,
                                       .random = box->random,
                                       .clock = &box->calendar.base,
                                       .limits = box->limits,
                                       .readers = 2,
                                       .on_mails = on_mails,
                                       .context = box};

    return data_open(&config, &box->data);
}

struct api *api_box_in_state(struct api_box *box, enum board_state state, enum life_reason reason)
{
    const struct api_options options = {.loop = box->loop,
                                        .limits = box->limits,
                                        .clock = &box->calendar.base,
                                        .calendar = &box->calendar,
                                        .reactor = 0,
                                        .data = state == BOARD_OPERATIONAL ? box->data : NULL,
                                        .state = state,
                                        .reason = reason,
                                        .version = "test",
                                        .url = span_lit("https://box.example:8443"),
                                        .keeper = {.sign_tokens = sign_tokens, .pepper = pepper, .context = box},
                                        .outbound = box->outbound,
                                        .updates = box->updates,
                                        .plans = box->plans,
                                        .time = box->time,
                                        .about = box->about,
                                        .hashes = box->hashes,
                                        .setup = &box->setup,
                                        .mail_hold_ms = box->mail_hold_ms};
    struct api *api = NULL;

    must(api_new(&options, &api), "api_new");
    return api;
}

struct api_box *api_box_new(void)
{
    static const uint8_t seed[LIMITS_SEED_BYTES] = {1};
    struct api_box *box = calloc(1, sizeof *box);

    log_open("test", LOG_ERROR);
    box->dir = temp_dir_make();
    must(crypto_slab_new(&box->slab), "slab");
    must(random_new(SPAN_NONE, &box->random), "random");
    memory_keeper_init(&box->keeper, box->slab, box->random, 1);
    box->keys = api_keeper_keys(box);
    sim_clock_init(&box->clock);
    hal_onward_init(&box->calendar, &box->clock.base);
    must(auth_hash_pool_new(&box->clock.base, 1, API_BOX_HASH_QUEUE, &box->hashes), "hashes");
    must(loop_new(&box->clock.base, 256, &box->loop), "loop");
    must(limits_new(4096, seed, &box->limits), "limits");
    must(open_data(box), "data_open");
    must(data_bootstrap(box->data, DATA_BOOTSTRAP_SHOWN, &box->first), "bootstrap");
    memcpy(box->publishable, box->first.publishable_key, DATA_KEY_BYTES);
    memcpy(box->secret, box->first.secret_key, DATA_KEY_BYTES);
    box->api = api_box_in_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    return box;
}

void api_box_close(struct api_box *box)
{
    api_free(box->api);
    data_close(box->data);
    box->api = NULL;
    box->data = NULL;
}

enum err api_box_open(struct api_box *box)
{
    const enum err err = open_data(box);

    if (err == ERR_OK) {
        box->api = api_box_in_state(box, BOARD_OPERATIONAL, LIFE_REASON_NONE);
    }
    return err;
}

void api_box_restart(struct api_box *box)
{
    api_box_close(box);
    must(api_box_open(box), "api_box_open");
}

void api_box_free(struct api_box *box)
{
    api_box_close(box);
    limits_free(box->limits);
    auth_hash_pool_free(box->hashes);
    loop_free(box->loop);
    while (box->environment_count > 0) {
        api_keeper_forget(&box->environments[--box->environment_count]);
    }
    random_free(box->random);
    secret_slab_free(box->slab);
    temp_dir_remove(&box->dir);
    free(box);
}

/* --- exchanges --- */

#define CATCH_HEADERS_MAX 8

struct api_box_pending {
    struct http_exchange exchange;
    struct http_header headers[CATCH_HEADERS_MAX];
    struct socket_address peer;
    struct buf *body;
    char *text[6]; /* copies of what the test gave: nothing of the API may rely on its life */
    bool done;
    struct api_answer answer;
};

/* The two functions of net that a handler calls. */
struct buf *__wrap_http_body(struct http_exchange *exchange);
void __wrap_http_respond(struct http_exchange *exchange, const struct http_response *response);

struct buf *__wrap_http_body(struct http_exchange *exchange)
{
    return ((struct api_box_pending *)exchange)->body;
}

void __wrap_http_respond(struct http_exchange *exchange, const struct http_response *response)
{
    struct api_box_pending *pending = (struct api_box_pending *)exchange;
    const struct span body = buf_all(pending->body);
    size_t at = 0;

    struct api_answer *answer = &pending->answer;

    answer->status = response->status;
    answer->body_len = body.len < sizeof answer->body - 1 ? body.len : sizeof answer->body - 1;
    if (answer->body_len > 0) {
        memcpy(answer->body, body.data, answer->body_len);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];
        at +=
            (size_t)snprintf(answer->headers + at, sizeof answer->headers - at, "%.*s: %.*s\n", (int)header->name.len,
                             (const char *)header->name.data, (int)header->value.len, (const char *)header->value.data);
    }
    pending->done = true;
    arena_free(exchange->arena); /* a use after it is found by the address sanitizer */
    exchange->arena = NULL;
}

static struct span keep(struct api_box_pending *pending, size_t slot, const char *text)
{
    pending->text[slot] = strdup(text);
    return span_of(pending->text[slot], strlen(text));
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum http_method)i;
        }
    }
    return HTTP_OTHER;
}

static void add_header(struct api_box_pending *pending, struct span name, struct span value)
{
    pending->headers[pending->exchange.header_count++] = (struct http_header){name, value};
}

static void add_header_line(struct api_box_pending *pending, size_t slot, const char *line)
{
    if (line != NULL) {
        const struct span text = keep(pending, slot, line);
        const size_t colon = span_find(text, ':');
        add_header(pending, span_of(text.data, colon), span_of(text.data + colon + 2, text.len - colon - 2));
    }
}

struct api_box_pending *api_box_begin(struct api_box *box, const struct api_ask *ask)
{
    struct api_box_pending *pending = calloc(1, sizeof *pending);
    struct http_exchange *exchange = &pending->exchange;
    const struct span target = keep(pending, 0, ask->target);
    const size_t question = span_find(target, '?');

    must(buf_new(BODY_MAX, &pending->body), "body");
    must(arena_new(4096, ARENA_MAX, &exchange->arena), "arena");
    const char *const peer = ask->peer == NULL ? "192.0.2.7" : ask->peer;
    must(socket_address_parse(span_str(peer), &pending->peer), "peer");
    exchange->method = method_of(ask->method);
    exchange->path = span_of(target.data, question);
    exchange->has_query = question < target.len;
    exchange->query = exchange->has_query ? span_of(target.data + question + 1, target.len - question - 1) : SPAN_NONE;
    exchange->path_ok =
        http_path_split(exchange->path, exchange->arena, &exchange->segments, &exchange->segment_count) == ERR_OK;
    fault_clear();
    exchange->headers = pending->headers;
    exchange->peer = &pending->peer;
    exchange->loop = box->loop;
    exchange->received = hal_clock_mono(&box->clock.base);
    if (ask->key != NULL) {
        add_header(pending, span_lit("x-api-key"), keep(pending, 1, ask->key));
    }
    if (ask->body != NULL) {
        exchange->body = keep(pending, 2, ask->body);
        add_header(pending, span_lit("Content-Type"),
                   keep(pending, 3, ask->content_type == NULL ? "application/json" : ask->content_type));
    }
    add_header_line(pending, 4, ask->header);
    add_header_line(pending, 5, ask->header2);
    if (box->before != NULL) {
        box->before();
    }
    const struct http_handler *const handler = ask->apart ? api_data_handler() : api_handler();
    handler->on_request(ask->api == NULL ? box->api : ask->api, exchange);
    return pending;
}

const struct api_answer *api_box_finish(struct api_box *box, struct api_box_pending *pending)
{
    for (unsigned int turn = 0; !pending->done; turn++) {
        if (turn == TURNS_MAX) {
            fprintf(stderr, "api_box: no answer\n");
            abort();
        }
        must(loop_turn(box->loop, 10), "turn");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pending->text); i++) {
        free(pending->text[i]);
    }
    buf_free(pending->body);
    static struct api_answer last;
    last = pending->answer;
    free(pending);
    return &last;
}

void api_box_twice(struct api_box *box, const struct api_ask *ask, unsigned int lower, unsigned int higher)
{
    struct api_box_pending *first = api_box_begin(box, ask);
    struct api_box_pending *second = api_box_begin(box, ask);
    const unsigned int one = api_box_finish(box, first)->status;
    const unsigned int other = api_box_finish(box, second)->status;

    assert_int_equal(one < other ? one : other, lower);
    assert_int_equal(one < other ? other : one, higher);
}

bool api_box_is_done(const struct api_box_pending *pending)
{
    return pending->done;
}

void api_box_hang_up(struct api_box_pending *pending)
{
    if (pending->exchange.on_cancel != NULL) {
        pending->exchange.on_cancel(&pending->exchange, ERR_CLOSED);
    }
}

const struct api_answer *api_box_ask(struct api_box *box, const struct api_ask *ask)
{
    return api_box_finish(box, api_box_begin(box, ask));
}

const struct api_answer *api_box_get(struct api_box *box, const char *key, const char *target)
{
    return api_box_send(box, "GET", key, target, NULL);
}

const struct api_answer *api_box_send(struct api_box *box, const char *method, const char *key, const char *target,
                                      const char *body)
{
    const struct api_ask ask = {.method = method, .target = target, .key = key, .body = body};

    return api_box_ask(box, &ask);
}

const struct api_answer *api_box_post(struct api_box *box, const char *target, const char *body)
{
    return api_box_send(box, "POST", box->publishable, target, body);
}

void api_box_pass_s(struct api_box *box, uint64_t seconds)
{
    sim_clock_advance_ms(&box->clock, seconds * 1000);
}

void api_box_settings(struct api_box *box, const char *members)
{
    char target[128];
    char body[512];

    (void)snprintf(target, sizeof target, "/v1/admin/projects/%.36s", box->first.project_id);
    (void)snprintf(body, sizeof body, "{\"settings\":{%s}}", members);
    assert_int_equal(api_box_send(box, "PATCH", box->secret, target, body)->status, 200);
}

/* --- answers --- */

static bool print_value(const struct json_value *value, char *out_text, size_t out_size)
{
    switch (value->type) {
    case JSON_STRING:
        (void)snprintf(out_text, out_size, "%.*s", (int)value->as.text.len, (const char *)value->as.text.data);
        return true;
    case JSON_INT:
        (void)snprintf(out_text, out_size, "%lld", (long long)value->as.integer);
        return true;
    case JSON_DOUBLE:
        (void)snprintf(out_text, out_size, "%g", value->as.real);
        return true;
    case JSON_BOOL:
        (void)snprintf(out_text, out_size, "%s", value->as.boolean ? "true" : "false");
        return true;
    case JSON_NULL:
        (void)snprintf(out_text, out_size, "null");
        return true;
    case JSON_ARRAY:
        (void)snprintf(out_text, out_size, "[%zu]", value->as.array.count);
        return true;
    case JSON_OBJECT:
        (void)snprintf(out_text, out_size, "{%zu}", value->as.object.count);
        return true;
    case JSON_DATE:
        return false;
    }
    return false;
}

bool api_answer_member(const struct api_answer *from, const char *path, char *out_text, size_t out_size)
{
    SCOPED_ARENA struct arena *arena = NULL;
    const struct json_value *value = NULL;
    struct span rest = span_str(path);

    must(arena_new(4096, ARENA_MAX, &arena), "arena");
    must(json_parse(span_of(from->body, from->body_len), arena, &value), "an answer that is no JSON");
    while (rest.len > 0 && value != NULL) {
        const size_t dot = span_find(rest, '.');
        const struct span name = span_of(rest.data, dot);
        uint64_t at = 0;
        if (value->type == JSON_ARRAY) {
            const bool there = span_to_u64(name, UINT32_MAX, &at) == ERR_OK && at < value->as.array.count;
            value = there ? &value->as.array.items[at] : NULL;
        } else {
            value = json_find(value, name);
        }
        rest = dot == rest.len ? SPAN_NONE : span_of(rest.data + dot + 1, rest.len - dot - 1);
    }
    fault_clear();
    return value != NULL && print_value(value, out_text, out_size);
}

const char *api_answer_text(const struct api_answer *answer, const char *path)
{
    static char text[8][API_ANSWER_TEXT_MAX];
    static unsigned int next;
    char *place = text[next++ % ARRAY_LENGTH(text)];

    if (!api_answer_member(answer, path, place, API_ANSWER_TEXT_MAX)) {
        (void)snprintf(place, API_ANSWER_TEXT_MAX, "(missing %s in %.300s)", path, answer->body);
    }
    return place;
}

int api_box_set_up(void **state)
{
    *state = api_box_new();
    return 0;
}

int api_box_tear_down(void **state)
{
    api_box_free(*state);
    return 0;
}

void api_box_table(struct api_box *box, const char *body, char *out_id)
{
    const struct api_answer *made = api_box_send(box, "POST", box->secret, "/v1/admin/tables", body);

    if (made->status != 201 || !api_answer_member(made, "id", out_id, AUTH_UUID_BYTES + 1)) {
        fprintf(stderr, "api_box: table: %u %s\n", made->status, made->body);
        abort();
    }
}
