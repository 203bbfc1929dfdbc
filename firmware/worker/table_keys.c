/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One question, one answer. An answer of another type than asked for can only be a defect of the keeper. Answers come in
 * the order of the questions and do not say which they belong to: the one that came too late is taken off the channel
 * before the next question, which would else be answered with the key of another table. */
#include "firmware/worker/table_keys.h"

#include <string.h>

#include "hal/base/fault.h"
#include "hal/base/mem.h"

_Static_assert(MSG_POINT_BYTES == DATA_TOKEN_KEY_BYTES && MSG_TOKEN_KEYS_MAX == DATA_TOKEN_KEYS_MAX &&
                   MSG_UUID_BYTES == DATA_TOKEN_ID_BYTES,
               "token keys in messages and for firmware/data");

struct table_keys {
    struct data_keys functions;
    struct msg_channel *channel;
    bool owed; /* the answer to a question that was given up is still to come */
    struct msg question;
    struct msg answer;
};

/* Sends the question and receives the answer; both are the caller's to wipe. */
static enum err ask(struct table_keys *keys)
{
    if (keys->owed) {
        TRY(msg_recv(keys->channel, MSG_OPERATIONAL, &keys->answer));
        msg_wipe(&keys->answer);
        keys->owed = false;
    }
    TRY(msg_send(keys->channel, &keys->question));
    const enum err err = msg_recv(keys->channel, MSG_OPERATIONAL, &keys->answer);
    keys->owed = err == ERR_TIMEOUT;
    TRY(err);
    return ERR_OK;
}

static enum err ask_for(struct table_keys *keys, enum msg_type expected)
{
    const enum err err = ask(keys);

    msg_wipe(&keys->question);
    TRY(err);
    if (keys->answer.type == MSG_DONE && (enum err)keys->answer.as.done.err != ERR_OK) {
        FAIL((enum err)keys->answer.as.done.err, "the keeper says no", keys->answer.as.done.err);
    }
    ENSURE(keys->answer.type == expected, ERR_BUG, "another answer than asked for");
    return ERR_OK;
}

/* Asks about a table's key; the answer is the caller's to wipe. wrapped: empty for a new one. */
static enum err ask_for_key(struct table_keys *keys, enum msg_type type, uint32_t table, struct span wrapped)
{
    keys->question = MSG_NEW(type);
    keys->question.as.key_request.table = table;
    ENSURE(MSG_SET(&keys->question.as.key_request.wrapped, wrapped) == ERR_OK, ERR_AUTH, "longer than any wrapped key");
    return ask_for(keys, MSG_KEY);
}

static enum err answer_key(struct table_keys *keys, struct secret **out_key)
{
    TRY(secret_new_copy(span_array(keys->answer.as.key.key), out_key));
    return ERR_OK;
}

static enum err answer_wrapped(const struct table_keys *keys, struct data_wrapped *out_wrapped)
{
    const struct span wrapped = MSG_VIEW(&keys->answer.as.key.wrapped);

    ENSURE(wrapped.len <= DATA_WRAPPED_MAX, ERR_RANGE, "a wrapped key that is too long");
    out_wrapped->len = wrapped.len;
    memcpy(out_wrapped->bytes, wrapped.data, wrapped.len);
    return ERR_OK;
}

static enum err new_key(void *context, uint32_t table, struct secret **out_key, struct data_wrapped *out_wrapped)
{
    struct table_keys *const keys = context;
    SCOPED_SECRET struct secret *key = NULL;

    enum err err = ask_for_key(keys, MSG_KEY_NEW, table, SPAN_NONE);
    err = err != ERR_OK ? err : answer_key(keys, &key);
    err = err != ERR_OK ? err : answer_wrapped(keys, out_wrapped);
    msg_wipe(&keys->answer);
    TRY(err);
    *out_key = TAKE(key);
    return ERR_OK;
}

static enum err open_key(void *context, uint32_t table, struct span wrapped, struct secret **out_key)
{
    struct table_keys *const keys = context;

    enum err err = ask_for_key(keys, MSG_KEY_OPEN, table, wrapped);
    err = err != ERR_OK ? err : answer_key(keys, out_key);
    msg_wipe(&keys->answer);
    return err;
}

static enum err rewrap(void *context, uint32_t table, struct span wrapped, struct data_wrapped *out_wrapped)
{
    struct table_keys *const keys = context;

    enum err err = ask_for_key(keys, MSG_KEY_REWRAP, table, wrapped);
    err = err != ERR_OK ? err : answer_wrapped(keys, out_wrapped);
    msg_wipe(&keys->answer);
    return err;
}

static enum err rotate(struct table_keys *keys, enum msg_type type, bool *out_pending)
{
    keys->question = MSG_NEW(type);
    TRY(ask_for(keys, MSG_DONE));
    *out_pending = keys->answer.as.done.pending == 1;
    return ERR_OK;
}

static enum err rotate_begin(void *context)
{
    bool pending = false;

    TRY(rotate(context, MSG_ROTATE_BEGIN, &pending));
    return ERR_OK;
}

static enum err rotate_end(void *context)
{
    bool pending = false;

    TRY(rotate(context, MSG_ROTATE_END, &pending));
    return ERR_OK;
}

static enum err rotate_pending(void *context, bool *out_pending)
{
    TRY(rotate(context, MSG_ROTATE_PENDING, out_pending));
    return ERR_OK;
}

static enum err set_environment(struct table_keys *keys, enum msg_type type, struct span environment_id)
{
    keys->question = MSG_NEW(type);
    TRY(MSG_SET(&keys->question.as.token_environment, environment_id));
    return ERR_OK;
}

/* Asks something about an environment that is answered with its public keys. */
static enum err ask_for_points(struct table_keys *keys, enum msg_type type, struct span environment_id,
                               struct data_token_keys *out_keys)
{
    TRY(set_environment(keys, type, environment_id));
    TRY(ask_for(keys, MSG_TOKEN_PUBLIC));
    const struct span points = MSG_VIEW(&keys->answer.as.token_public.points);
    ENSURE(points.len % DATA_TOKEN_KEY_BYTES == 0 && points.len != 0, ERR_BUG, "public keys of another length");
    out_keys->count = points.len / DATA_TOKEN_KEY_BYTES;
    memcpy(out_keys->points, points.data, points.len);
    return ERR_OK;
}

static enum err token_keys(void *context, struct span environment_id, struct data_token_keys *out_keys)
{
    return ask_for_points(context, MSG_TOKEN_KEYS, environment_id, out_keys);
}

static enum err token_rotate(void *context, struct span environment_id, struct data_token_keys *out_keys)
{
    return ask_for_points(context, MSG_TOKEN_ROTATE, environment_id, out_keys);
}

static enum err token_use(void *context, struct span environment_id)
{
    struct table_keys *const keys = context;

    TRY(set_environment(keys, MSG_TOKEN_USE, environment_id));
    TRY(ask_for(keys, MSG_DONE));
    return ERR_OK;
}

static enum err token_retire(void *context, struct span environment_id, const uint8_t point[DATA_TOKEN_KEY_BYTES])
{
    struct table_keys *const keys = context;

    keys->question = MSG_NEW(MSG_TOKEN_RETIRE);
    TRY(MSG_SET(&keys->question.as.token_retire.environment, environment_id));
    memcpy(keys->question.as.token_retire.point, point, DATA_TOKEN_KEY_BYTES);
    TRY(ask_for(keys, MSG_DONE));
    return ERR_OK;
}

static enum err token_drop(void *context, struct span environment_id)
{
    struct table_keys *const keys = context;

    TRY(set_environment(keys, MSG_TOKEN_DROP, environment_id));
    TRY(ask_for(keys, MSG_DONE));
    return ERR_OK;
}

static enum err token_next(void *context, struct span after, char out_environment_id[DATA_TOKEN_ID_BYTES])
{
    struct table_keys *const keys = context;

    TRY(set_environment(keys, MSG_TOKEN_NEXT, after));
    TRY(ask_for(keys, MSG_TOKEN_PUBLIC));
    const struct span id = MSG_VIEW(&keys->answer.as.token_public.environment);
    if (id.len == 0) {
        return ERR_NOT_FOUND;
    }
    ENSURE(id.len == DATA_TOKEN_ID_BYTES, ERR_BUG, "an environment's id of another length");
    memcpy(out_environment_id, id.data, DATA_TOKEN_ID_BYTES);
    return ERR_OK;
}

enum err table_keys_new(struct msg_channel *take_channel, struct table_keys **out_keys)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct table_keys), &memory));
    struct table_keys *const keys = memory;
    keys->channel = take_channel;
    keys->functions = (struct data_keys){
        .context = keys,
        .new_key = new_key,
        .open_key = open_key,
        .rotate_begin = rotate_begin,
        .rewrap = rewrap,
        .rotate_end = rotate_end,
        .rotate_pending = rotate_pending,
        .token_keys = token_keys,
        .token_drop = token_drop,
        .token_next = token_next,
        .token_rotate = token_rotate,
        .token_use = token_use,
        .token_retire = token_retire,
    };
    *out_keys = keys;
    return ERR_OK;
}

void table_keys_free(struct table_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    msg_channel_free(keys->channel);
    msg_wipe(&keys->question);
    msg_wipe(&keys->answer);
    mem_free(keys);
}

const struct data_keys *table_keys_view(const struct table_keys *keys)
{
    return &keys->functions;
}
