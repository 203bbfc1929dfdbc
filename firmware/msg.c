/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of messages and their encoding.
 *
 * Each type lists its fields: kind, place in struct msg, bytes, and for numbers the highest value. One encoder and one
 * decoder walk that list, so a message cannot be written in one way and read in another, and the size of a type is the
 * sum of its fields. A datagram is type(4) and the fields. Nothing from the other end is used before all of it has been
 * checked. */
#include "firmware/msg.h"

#include <string.h>

#include "hal/base/buf.h"
#include "hal/base/fault.h"
#include "hal/process.h"
#include "hal/socket.h"

enum field_kind {
    FIELD_U32,
    FIELD_U64,
    FIELD_BYTES, /* exactly so many */
    FIELD_TEXT   /* length(4) and capacity bytes, zero past the length */
};

struct field {
    enum field_kind kind;
    size_t offset;
    size_t bytes; /* of BYTES; capacity of TEXT */
    uint32_t max; /* of U32 */
};

#define FIELDS_MAX 10

#define U32(member, max_)   {FIELD_U32, offsetof(struct msg, as.member), 4, (max_)}
#define U64(member)         {FIELD_U64, offsetof(struct msg, as.member), 8, 0}
#define BYTES(member)       {FIELD_BYTES, offsetof(struct msg, as.member), sizeof ((struct msg *)NULL)->as.member, 0}
#define TEXT(member)                                                                                                   \
    {FIELD_TEXT, offsetof(struct msg, as.member), sizeof ((struct msg *)NULL)->as.member.data, 0}

#define IN(state) (1u << (state))
#define IN_STARTING IN(MSG_STARTING)
#define IN_LOCKED IN(MSG_LOCKED)
#define IN_OPERATIONAL IN(MSG_OPERATIONAL)
#define IN_STOPPING IN(MSG_STOPPING)
#define IN_SERVING (IN_LOCKED | IN_OPERATIONAL)
#define IN_ANY (IN_STARTING | IN_SERVING | IN_STOPPING)

struct row {
    enum msg_channel_kind channel;
    enum msg_end receiver;
    unsigned int states; /* in which it may arrive */
    bool with_fd;
    size_t field_count;
    struct field fields[FIELDS_MAX];
};

#define STATE_LAST  (BOARD_STATE_COUNT - 1)
#define REASON_LAST (LIFE_REASON_COUNT - 1)
#define ERR_LAST    (ERR_COUNT - 1)

#define DESTINATION                                                                                                    \
    {U32(destination.list, UINT32_MAX), U32(destination.index, OUTBOUND_DESTINATIONS_MAX),                             \
     U32(destination.count, OUTBOUND_DESTINATIONS_MAX), U32(destination.kind, OUTBOUND_KINDS - 1),                     \
     U32(destination.tls, OUTBOUND_TLS_KINDS - 1), U32(destination.port, 65535),                                       \
     U32(destination.ca_bytes, OUTBOUND_CA_MAX), TEXT(destination.host)}

#define IMAGE_ANSWER {U32(keeper_image.err, ERR_LAST), U32(keeper_image.minimum, UINT32_MAX)}

/* clang-format off */
static const struct row table[] = {
    [MSG_KEEPER_NAME] = {MSG_TO_KEEPER, MSG_LOWER, IN_ANY, false, 3,
        {U32(keeper_name.index, 255), U32(keeper_name.count, 255), TEXT(keeper_name.name)}},
    [MSG_KEEPER_GENERATION] = {MSG_TO_KEEPER, MSG_LOWER, IN_STARTING, true, 0, {{0}}},
    [MSG_KEEPER_POLICY] = {MSG_TO_KEEPER, MSG_LOWER, IN_STARTING, false, 1, {TEXT(keeper_policy)}},
    [MSG_KEEPER_START] = {MSG_TO_KEEPER, MSG_LOWER, IN_STARTING, false, 3,
        {TEXT(keeper_start.tcti), TEXT(keeper_start.pin), U32(keeper_start.shown, 1)}},
    [MSG_KEEPER_WORKER] = {MSG_TO_KEEPER, MSG_LOWER, IN_SERVING, true, 2,
        {U32(with_fd.kind, MSG_FD_NOTICES), U32(with_fd.index, MSG_REACTORS_MAX + 1)}},
    [MSG_KEEPER_SHOWN] = {MSG_TO_KEEPER, MSG_LOWER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_KEEPER_ASK] = {MSG_TO_KEEPER, MSG_LOWER, IN_SERVING, false, 0, {{0}}},
    [MSG_KEEPER_APPROVE] = {MSG_TO_KEEPER, MSG_LOWER, IN_OPERATIONAL, false, 1, {TEXT(keeper_policy)}},
    [MSG_KEEPER_BLESS] = {MSG_TO_KEEPER, MSG_LOWER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_KEEPER_PLAN] = {MSG_TO_KEEPER, MSG_LOWER, IN_OPERATIONAL, false, 1, {TEXT(keeper_plan)}},
    [MSG_KEEPER_STOP] = {MSG_TO_KEEPER, MSG_LOWER, IN_ANY, false, 0, {{0}}},

    [MSG_KEEPER_STATE] = {MSG_TO_KEEPER, MSG_UPPER, IN_ANY, false, 4,
        {U32(keeper_state.state, STATE_LAST), U32(keeper_state.reason, REASON_LAST), U32(keeper_state.first, 1),
         U64(keeper_state.date_ms)}},
    [MSG_KEEPER_RECOVERY] = {MSG_TO_KEEPER, MSG_UPPER, IN_STARTING, false, 1,
        {TEXT(keeper_recovery)}},
    [MSG_KEEPER_CA] = {MSG_TO_KEEPER, MSG_UPPER, IN_STARTING | IN_SERVING, false, 1, {TEXT(keeper_ca)}},
    [MSG_KEEPER_OFFENCE] = {MSG_TO_KEEPER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 0, {{0}}},
    [MSG_KEEPER_ANSWER] = {MSG_TO_KEEPER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 0, {{0}}},

    [MSG_KEEPER_APPROVED] = {MSG_TO_KEEPER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 2, IMAGE_ANSWER},
    [MSG_KEEPER_BLESSED] = {MSG_TO_KEEPER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 2, IMAGE_ANSWER},
    [MSG_KEEPER_PLANNED] = {MSG_TO_KEEPER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 2, IMAGE_ANSWER},

    [MSG_WORKER_FD] = {MSG_TO_WORKER, MSG_LOWER, IN_STARTING, true, 2,
        {U32(with_fd.kind, MSG_FD_KINDS - 1), U32(with_fd.index, 4 * MSG_REACTORS_MAX)}},
    [MSG_WORKER_FRAMES] = {MSG_TO_WORKER, MSG_LOWER, IN_STARTING, true, 9,
        {U32(worker_frames.kind, HAL_FRAME_KINDS - 1), U32(worker_frames.mtu, HAL_FRAME_MTU_MAX),
         BYTES(worker_frames.mac), U32(worker_frames.given, MSG_GIVEN_ALL), BYTES(worker_frames.ipv4),
         U32(worker_frames.prefix, 30), BYTES(worker_frames.gateway), BYTES(worker_frames.ipv6),
         BYTES(worker_frames.dns)}},
    [MSG_WORKER_START] = {MSG_TO_WORKER, MSG_LOWER, IN_STARTING, false, 10,
        {U32(worker_start.mode, MSG_MODES - 1), U32(worker_start.state, STATE_LAST),
         U32(worker_start.reason, REASON_LAST), U32(worker_start.first, 1),
         U32(worker_start.reactors, MSG_REACTORS_MAX), U32(worker_start.https_port, 65535),
         U32(worker_start.http_port, 65535), TEXT(worker_start.url), U32(worker_start.sets_clock, 1),
         U64(worker_start.date_ms)}},
    [MSG_WORKER_ASK] = {MSG_TO_WORKER, MSG_LOWER, IN_SERVING, false, 0, {{0}}},
    [MSG_WORKER_STOP] = {MSG_TO_WORKER, MSG_LOWER, IN_ANY, false, 0, {{0}}},
    [MSG_WORKER_COURIER] = {MSG_TO_WORKER, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, true, 1, {U32(list, UINT32_MAX)}},

    [MSG_WORKER_BOOTSTRAP] = {MSG_TO_WORKER, MSG_UPPER, IN_STARTING, false, 4,
        {TEXT(worker_bootstrap.project), TEXT(worker_bootstrap.environment), TEXT(worker_bootstrap.publishable),
         TEXT(worker_bootstrap.secret)}},
    [MSG_WORKER_SETUP] = {MSG_TO_WORKER, MSG_UPPER, IN_STARTING, false, 1, {TEXT(worker_setup)}},
    [MSG_WORKER_READY] = {MSG_TO_WORKER, MSG_UPPER, IN_STARTING | IN_STOPPING, false, 0, {{0}}},
    [MSG_WORKER_FAILED] = {MSG_TO_WORKER, MSG_UPPER, IN_ANY, false, 1, {U32(reason, REASON_LAST)}},
    [MSG_WORKER_CHECKED] = {MSG_TO_WORKER, MSG_UPPER, IN_STARTING, false, 2,
        {U32(worker_checked.err, ERR_LAST), U32(worker_checked.findings, UINT32_MAX)}},
    [MSG_WORKER_ANSWER] = {MSG_TO_WORKER, MSG_UPPER, IN_SERVING | IN_STOPPING, false, 0, {{0}}},
    [MSG_WORKER_DESTINATION] = {MSG_TO_WORKER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 8, DESTINATION},
    [MSG_WORKER_DESTINATION_CA] = {MSG_TO_WORKER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 1, {TEXT(part)}},
    [MSG_WORKER_ADDRESSES] = {MSG_TO_WORKER, MSG_UPPER, IN_ANY, false, 2,
        {U32(worker_addresses.count, MSG_ADDRESSES_MAX), BYTES(worker_addresses.bytes)}},

    [MSG_SIGN_TLS13] = {MSG_REACTOR, MSG_UPPER, IN_SERVING, false, 3,
        {U64(sign_tls13.request), U32(sign_tls13.certificate, UINT32_MAX), TEXT(sign_tls13.transcript)}},
    [MSG_SIGN_TLS12] = {MSG_REACTOR, MSG_UPPER, IN_SERVING, false, 6,
        {U64(sign_tls12.request), U32(sign_tls12.certificate, UINT32_MAX), BYTES(sign_tls12.client_random),
         BYTES(sign_tls12.server_random), U32(sign_tls12.group, 65535), TEXT(sign_tls12.point)}},
    [MSG_UNLOCK] = {MSG_REACTOR, MSG_UPPER, IN_SERVING, false, 3,
        {U64(unlock.request), U32(unlock.kind, MSG_UNLOCK_KINDS - 1), TEXT(unlock.text)}},
    [MSG_TOKEN_SIGN] = {MSG_REACTOR, MSG_UPPER, IN_OPERATIONAL, false, 8,
        {U64(token_sign.request), TEXT(token_sign.environment_id), TEXT(token_sign.project),
         TEXT(token_sign.environment), TEXT(token_sign.user), TEXT(token_sign.session),
         U32(token_sign.access_s, MSG_ACCESS_S_MAX), U32(token_sign.refresh_s, MSG_REFRESH_S_MAX)}},
    [MSG_PEPPER] = {MSG_REACTOR, MSG_UPPER, IN_OPERATIONAL, false, 3,
        {U64(pepper.request), U32(pepper.version, UINT32_MAX), BYTES(pepper.digest)}},
    [MSG_SIGNED] = {MSG_REACTOR, MSG_LOWER, IN_SERVING | IN_STOPPING, false, 3,
        {U64(signature.request), U32(signature.err, ERR_LAST), TEXT(signature.signature)}},
    [MSG_UNLOCKED] = {MSG_REACTOR, MSG_LOWER, IN_SERVING | IN_STOPPING, false, 2,
        {U64(unlocked.request), U32(unlocked.err, ERR_LAST)}},
    [MSG_TOKEN_SIGNED] = {MSG_REACTOR, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 5,
        {U64(token_signed.request), U32(token_signed.err, ERR_LAST), U64(token_signed.issued_s),
         TEXT(token_signed.access), TEXT(token_signed.refresh)}},
    [MSG_PEPPERED] = {MSG_REACTOR, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 4,
        {U64(peppered.request), U32(peppered.err, ERR_LAST), U32(peppered.version, UINT32_MAX), BYTES(peppered.mac)}},

    [MSG_KEY_NEW] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 2,
        {U32(key_request.table, UINT32_MAX), TEXT(key_request.wrapped)}},
    [MSG_KEY_OPEN] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 2,
        {U32(key_request.table, UINT32_MAX), TEXT(key_request.wrapped)}},
    [MSG_KEY_REWRAP] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 2,
        {U32(key_request.table, UINT32_MAX), TEXT(key_request.wrapped)}},
    [MSG_ROTATE_BEGIN] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_ROTATE_END] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_ROTATE_PENDING] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_TOKEN_KEYS] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(token_environment)}},
    [MSG_TOKEN_DROP] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(token_environment)}},
    [MSG_TOKEN_NEXT] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(token_environment)}},
    [MSG_TOKEN_ROTATE] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(token_environment)}},
    [MSG_TOKEN_USE] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(token_environment)}},
    [MSG_TOKEN_RETIRE] = {MSG_CALLS, MSG_UPPER, IN_OPERATIONAL, false, 2,
        {TEXT(token_retire.environment), BYTES(token_retire.point)}},
    [MSG_KEY] = {MSG_CALLS, MSG_LOWER, IN_STARTING | IN_OPERATIONAL | IN_STOPPING, false, 2,
        {BYTES(key.key), TEXT(key.wrapped)}},
    [MSG_TOKEN_PUBLIC] = {MSG_CALLS, MSG_LOWER, IN_STARTING | IN_OPERATIONAL | IN_STOPPING, false, 2,
        {TEXT(token_public.environment), TEXT(token_public.points)}},
    [MSG_DONE] = {MSG_CALLS, MSG_LOWER, IN_STARTING | IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U32(done.err, ERR_LAST), U32(done.pending, 1)}},

    [MSG_CERT] = {MSG_NOTICES, MSG_LOWER, IN_ANY, false, 2, {U32(cert.number, UINT32_MAX), TEXT(cert.leaf)}},
    [MSG_TICKETS] = {MSG_NOTICES, MSG_LOWER, IN_ANY, false, 5,
        {BYTES(tickets.current_name), BYTES(tickets.current_key), U32(tickets.has_previous, 1),
         BYTES(tickets.previous_name), BYTES(tickets.previous_key)}},

    [MSG_COURIER_DESTINATION] = {MSG_TO_COURIER, MSG_LOWER, IN_STARTING, false, 8, DESTINATION},
    [MSG_COURIER_DESTINATION_CA] = {MSG_TO_COURIER, MSG_LOWER, IN_STARTING, false, 1, {TEXT(part)}},
    [MSG_COURIER_START] = {MSG_TO_COURIER, MSG_LOWER, IN_STARTING, true, 1, {U32(courier_start, 1)}},
    [MSG_COURIER_ASK] = {MSG_TO_COURIER, MSG_LOWER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_COURIER_STOP] = {MSG_TO_COURIER, MSG_LOWER, IN_ANY, false, 0, {{0}}},
    [MSG_COURIER_READY] = {MSG_TO_COURIER, MSG_UPPER, IN_STARTING | IN_STOPPING, false, 0, {{0}}},
    [MSG_COURIER_ANSWER] = {MSG_TO_COURIER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 0, {{0}}},

    [MSG_JOB_MAIL] = {MSG_JOBS, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 7,
        {U64(job_mail.job), U32(job_mail.destination, OUTBOUND_DESTINATIONS_MAX - 1),
         U32(job_mail.bytes, OUTBOUND_MAIL_MAX), TEXT(job_mail.from), TEXT(job_mail.to), TEXT(job_mail.user),
         TEXT(job_mail.password)}},
    [MSG_JOB_FETCH] = {MSG_JOBS, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 6,
        {U64(job_fetch.job), U32(job_fetch.destination, OUTBOUND_DESTINATIONS_MAX - 1),
         U32(job_fetch.bytes, OUTBOUND_BODY_MAX), U32(job_fetch.method, OUTBOUND_METHODS - 1), TEXT(job_fetch.path),
         TEXT(job_fetch.authorization)}},
    [MSG_JOB_PART] = {MSG_JOBS, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U64(job_part.job), TEXT(job_part.bytes)}},
    [MSG_JOB_ANSWER] = {MSG_JOBS, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U64(job_part.job), TEXT(job_part.bytes)}},
    [MSG_JOB_DONE] = {MSG_JOBS, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 4,
        {U64(job_done.job), U32(job_done.result, OUTBOUND_RESULTS - 1), U32(job_done.stage, OUTBOUND_STAGES - 1),
         U32(job_done.status, OUTBOUND_STATUS_MAX)}},

    [MSG_UPDATER_START] = {MSG_TO_UPDATER, MSG_LOWER, IN_STARTING, true, 1, {TEXT(updater_start)}},
    [MSG_UPDATER_WORKER] = {MSG_TO_UPDATER, MSG_LOWER, IN_OPERATIONAL, true, 0, {{0}}},
    [MSG_UPDATER_APPROVED] = {MSG_TO_UPDATER, MSG_LOWER, IN_OPERATIONAL, false, 1, {U32(err, ERR_LAST)}},
    [MSG_UPDATER_BLESS] = {MSG_TO_UPDATER, MSG_LOWER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_UPDATER_ASK] = {MSG_TO_UPDATER, MSG_LOWER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_UPDATER_STOP] = {MSG_TO_UPDATER, MSG_LOWER, IN_ANY, false, 0, {{0}}},
    [MSG_UPDATER_READY] = {MSG_TO_UPDATER, MSG_UPPER, IN_STARTING | IN_STOPPING, false, 2,
        {U32(updater_ready.err, ERR_LAST), U32(updater_ready.trial, 1)}},
    [MSG_UPDATER_APPROVE] = {MSG_TO_UPDATER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 1, {TEXT(keeper_policy)}},
    [MSG_UPDATER_BLESSED] = {MSG_TO_UPDATER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 1, {U32(err, ERR_LAST)}},
    [MSG_UPDATER_INSTALLED] = {MSG_TO_UPDATER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 0, {{0}}},
    [MSG_UPDATER_OFFENCE] = {MSG_TO_UPDATER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 0, {{0}}},
    [MSG_UPDATER_ANSWER] = {MSG_TO_UPDATER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 0, {{0}}},

    [MSG_UPDATE_ASK] = {MSG_UPDATES, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_UPDATE_BEGIN] = {MSG_UPDATES, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_UPDATE_PIECE] = {MSG_UPDATES, MSG_UPPER, IN_OPERATIONAL, false, 2,
        {U64(update_piece.offset), U32(update_piece.bytes, MSG_UPDATE_PIECE_MAX)}},
    [MSG_UPDATE_BYTES] = {MSG_UPDATES, MSG_UPPER, IN_OPERATIONAL, false, 1, {TEXT(part)}},
    [MSG_UPDATE_INSTALL] = {MSG_UPDATES, MSG_UPPER, IN_OPERATIONAL, false, 0, {{0}}},
    [MSG_UPDATE_STATUS] = {MSG_UPDATES, MSG_LOWER, IN_OPERATIONAL, false, 7,
        {U32(update_status.err, ERR_LAST), U32(update_status.phase, MSG_UPDATE_PHASES - 1), U64(update_status.received),
         U32(update_status.security, UINT32_MAX), TEXT(update_status.version), TEXT(update_status.running),
         U32(update_status.trial, 1)}},

    [MSG_JOB_REACH] = {MSG_JOBS, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, true, 4,
        {U64(job_reach.job), U32(job_reach.kind, MSG_REACH_KINDS - 1), U32(job_reach.port, 65535),
         TEXT(job_reach.host)}},
    [MSG_JOB_TIME] = {MSG_JOBS, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U64(job_time.job), U32(job_time.destination, OUTBOUND_DESTINATIONS_MAX - 1)}},
    [MSG_JOB_READING] = {MSG_JOBS, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 6,
        {U64(job_reading.job), U64(job_reading.unix_ns), U64(job_reading.at_ns), U64(job_reading.delay_ns),
         U64(job_reading.distance_ns), U32(job_reading.stratum, OUTBOUND_STRATUM_MAX)}},
    [MSG_WORKER_PLAN] = {MSG_TO_WORKER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U64(worker_plan.number), TEXT(worker_plan.plan)}},
    [MSG_WORKER_PLANNED] = {MSG_TO_WORKER, MSG_LOWER, IN_OPERATIONAL | IN_STOPPING, false, 2,
        {U64(worker_planned.number), U32(worker_planned.err, ERR_LAST)}},
    [MSG_WORKER_TIME] = {MSG_TO_WORKER, MSG_UPPER, IN_OPERATIONAL | IN_STOPPING, false, 4,
        {U64(worker_time.unix_ns), U64(worker_time.at_ns), U32(worker_time.authenticated, 1), TEXT(worker_time.source)}},
};
/* clang-format on */
_Static_assert(ARRAY_LENGTH(table) == MSG_TYPE_COUNT, "every message has a row");

struct msg_channel {
    int fd;
    enum msg_channel_kind kind;
    enum msg_end end;
    size_t used; /* bytes of wire that may hold something */
    uint8_t wire[MSG_WIRE_MAX + 1]; /* one more than any message, to see what is too long */
};

void msg_wipe(struct msg *msg)
{
    mem_wipe(msg, sizeof(*msg));
    msg->fd = -1;
}

enum err msg_set(uint8_t *out_data, size_t capacity, uint32_t *out_len, struct span bytes)
{
    ENSURE(bytes.len <= capacity, ERR_RANGE, "text longer than its place in a message");

    memset(out_data, 0, capacity);
    if (bytes.len != 0) {
        memcpy(out_data, bytes.data, bytes.len);
    }
    *out_len = (uint32_t)bytes.len;
    return ERR_OK;
}

static size_t field_size(const struct field *field)
{
    return field->kind == FIELD_TEXT ? 4 + field->bytes : field->bytes;
}

size_t msg_size(enum msg_type type)
{
    INVARIANT((size_t)type < MSG_TYPE_COUNT);
    size_t size = 4;

    for (size_t i = 0; i < table[type].field_count; i++) {
        size += field_size(&table[type].fields[i]);
    }
    INVARIANT(size <= MSG_WIRE_MAX);
    return size;
}

/* Offsets lead to members of exactly these types: the table is made of offsetof and sizeof only. */
static enum err encode_field(const struct field *field, const struct msg *msg, uint8_t *out_at)
{
    const uint8_t *const member = (const uint8_t *)msg + field->offset;
    uint32_t number = 0;
    uint64_t wide = 0;

    switch (field->kind) {
    case FIELD_U32:
        memcpy(&number, member, sizeof(number));
        ENSURE(number <= field->max, ERR_BUG, "number out of its range in a message");
        put_u32be(out_at, number);
        return ERR_OK;
    case FIELD_U64:
        memcpy(&wide, member, sizeof(wide));
        put_u64be(out_at, wide);
        return ERR_OK;
    case FIELD_BYTES:
        memcpy(out_at, member, field->bytes);
        return ERR_OK;
    case FIELD_TEXT:
        memcpy(&number, member, sizeof(number));
        ENSURE(number <= field->bytes, ERR_BUG, "text out of its range in a message");
        put_u32be(out_at, number);
        memset(out_at + 4, 0, field->bytes);
        memcpy(out_at + 4, member + 4, number);
        return ERR_OK;
    }
    FAIL(ERR_BUG, "no such kind of field", field->kind);
}

static enum err decode_field(const struct field *field, const uint8_t *at, struct msg *out_msg)
{
    uint8_t *const member = (uint8_t *)out_msg + field->offset;
    uint32_t number = 0;
    uint64_t wide = 0;

    switch (field->kind) {
    case FIELD_U32:
        number = get_u32be(at);
        ENSURE(number <= field->max, ERR_MALFORMED, "number out of its range");
        memcpy(member, &number, sizeof(number));
        return ERR_OK;
    case FIELD_U64:
        wide = get_u64be(at);
        memcpy(member, &wide, sizeof(wide));
        return ERR_OK;
    case FIELD_BYTES:
        memcpy(member, at, field->bytes);
        return ERR_OK;
    case FIELD_TEXT:
        number = get_u32be(at);
        ENSURE(number <= field->bytes, ERR_MALFORMED, "text out of its range");
        for (size_t i = number; i < field->bytes; i++) {
            ENSURE(at[4 + i] == 0, ERR_MALFORMED, "bytes behind a text");
        }
        memcpy(member, &number, sizeof(number));
        memcpy(member + 4, at + 4, field->bytes);
        return ERR_OK;
    }
    FAIL(ERR_BUG, "no such kind of field", field->kind);
}

enum err msg_channel_new(int take_fd, enum msg_channel_kind kind, enum msg_end end, struct msg_channel **out_channel)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct msg_channel), &memory));
    struct msg_channel *const channel = memory;
    channel->fd = take_fd;
    channel->kind = kind;
    channel->end = end;
    *out_channel = channel;
    return ERR_OK;
}

void msg_channel_free(struct msg_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    socket_close(channel->fd);
    mem_wipe(channel, sizeof(*channel));
    mem_free(channel);
}

int msg_channel_fd(const struct msg_channel *channel)
{
    return channel->fd;
}

static void wire_wipe(struct msg_channel *channel)
{
    mem_wipe(channel->wire, channel->used);
    channel->used = 0;
}

static enum err encode(struct msg_channel *channel, const struct msg *msg)
{
    const struct row *const row = &table[msg->type];
    size_t at = 4;

    put_u32be(channel->wire, (uint32_t)msg->type);
    for (size_t i = 0; i < row->field_count; i++) {
        TRY(encode_field(&row->fields[i], msg, channel->wire + at));
        at += field_size(&row->fields[i]);
    }
    return ERR_OK;
}

enum err msg_send(struct msg_channel *channel, const struct msg *msg)
{
    ENSURE((size_t)msg->type < MSG_TYPE_COUNT, ERR_BUG, "no such message");
    const struct row *const row = &table[msg->type];

    ENSURE(row->channel == channel->kind && row->receiver != channel->end, ERR_BUG, "not a message of this channel");
    ENSURE(row->with_fd == (msg->fd >= 0), ERR_BUG, "a descriptor is missing or too many");
    channel->used = msg_size(msg->type);
    enum err err = encode(channel, msg);
    if (err == ERR_OK) {
        err = channel_send(channel->fd, span_of(channel->wire, channel->used), &msg->fd, row->with_fd ? 1 : 0);
    }
    wire_wipe(channel);
    TRY(err);
    return ERR_OK;
}

/* Checks a datagram against the table and decodes it; out_msg may be partly written on failure. */
static enum err decode(const struct msg_channel *channel, enum msg_state state, const struct channel_message *arrived,
                       struct msg *out_msg)
{
    ENSURE(arrived->bytes >= 4, ERR_MALFORMED, "message without a type");
    const uint32_t type = get_u32be(channel->wire);
    ENSURE(type < MSG_TYPE_COUNT, ERR_MALFORMED, "unknown message");
    const struct row *const row = &table[type];

    ENSURE(row->channel == channel->kind && row->receiver == channel->end, ERR_MALFORMED, "message of another channel");
    ENSURE(arrived->bytes == msg_size((enum msg_type)type), ERR_MALFORMED, "message of another size");
    ENSURE(arrived->fd_count == (row->with_fd ? 1u : 0u), ERR_MALFORMED, "a descriptor is missing or too many");
    ENSURE((row->states & IN(state)) != 0, ERR_STATE, "message out of time");
    size_t at = 4;
    for (size_t i = 0; i < row->field_count; i++) {
        TRY(decode_field(&row->fields[i], channel->wire + at, out_msg));
        at += field_size(&row->fields[i]);
    }
    out_msg->type = (enum msg_type)type;
    out_msg->fd = row->with_fd ? arrived->fds[0] : -1;
    return ERR_OK;
}

enum err msg_recv(struct msg_channel *channel, enum msg_state state, struct msg *out_msg)
{
    struct channel_message arrived = {0};

    const enum err received = channel_receive(channel->fd, channel->wire, sizeof(channel->wire), &arrived);
    if (received == ERR_AGAIN || received == ERR_CLOSED || received == ERR_TIMEOUT) {
        return received; /* no fault: there is just nothing */
    }
    ENSURE(received != ERR_RANGE, ERR_MALFORMED, "message longer than any");
    TRY(received);
    channel->used = arrived.bytes;
    const enum err err = decode(channel, state, &arrived, out_msg);
    wire_wipe(channel);
    if (err != ERR_OK) {
        msg_wipe(out_msg);
        for (size_t i = 0; i < arrived.fd_count; i++) {
            socket_close(arrived.fds[i]);
        }
        TRY(err);
    }
    return ERR_OK;
}
