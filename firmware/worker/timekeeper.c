/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Looking (every few seconds, whether settings have changed or a round is due) -> a job for each server -> the last of them is
 * done: the round is judged -> looking. Settings that change during a round wait for its end.
 *
 * A server that wants no more questions (DENY, RSTR) is left alone for REFUSED_MIN_MS, and each time that it repeats itself for
 * twice as long, up to REFUSED_MAX_MS; an answer ends that. For good it is never left: in clear anybody on the way can say so
 * in its name, once, and NTS believes a sealed kiss only, but a server's mind may change as well. Spec: RFC 5905 section 7.4
 * has a client stop for good, RFC 8633 section 5.4 doubts what is not authenticated. */
#include "firmware/worker/timekeeper.h"

#include <string.h>

#include "firmware/worker/time_pick.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/calendar.h"

#define S_MS         1000u
#define LOOK_MS      5000u
#define POLL_MIN_MS  64000u
#define POLL_MAX_MS  1024000u /* RFC 5905 section 7.2: within the range of usual polls; the courier keeps its cookies as long */
#define RETRY_MIN_MS 16000u  /* the network may come up after the box */
#define REFUSED_MIN_MS UINT64_C(1024000)  /* as seldom as anybody is asked */
#define REFUSED_MAX_MS UINT64_C(16384000) /* what a forgery on the way can cost after its author has gone: four and a half hours */
#define RIGHT_NS     INT64_C(32000000) /* by which a clock may be wrong that is asked about less often */
#define SLACK_NS     UINT64_C(5000000) /* clocks here are read in milliseconds, and run apart during a round */
#define NS_PER_MS    INT64_C(1000000)
#define LATEST_NS    (UINT64_C(1) << 62)

_Static_assert(CONFIG_COURIER_TIME_S + 10 <= CALENDAR_OLDEST_S, "the first reading of a round can still be set at its end");

struct server {
    struct timekeeper *keeper;
    char host[OUTBOUND_HOST_MAX + 1];
    uint8_t ca[OUTBOUND_CA_MAX];
    size_t ca_len;
    uint16_t port;
    bool nts;
    unsigned int pause;     /* rounds in which it is not asked */
    uint64_t refused_ms;    /* for how long it was left alone last; 0: its last word was no refusal */
    struct mono_time again; /* not asked before */
    bool has_answered;  /* in this round */
    struct outbound_job job;
};

struct published {
    struct snapshot head; /* first */
    struct api_clock_state state;
};

struct timekeeper {
    struct timekeeper_options options;
    struct loop_timer timer;
    size_t count;
    size_t busy; /* jobs under way */
    bool in_round;
    uint64_t wait_ms; /* between the round before and the next */
    struct mono_time next;
    struct api_clock_state state;
    void (*on_drained)(void *context); /* NULL: not draining */
    void *context;
    struct server servers[NETWORK_TIME_SERVERS_MAX];
};

/* --- what others see --- */

static void free_published(struct snapshot *snapshot)
{
    mem_free(snapshot);
}

static void publish(struct timekeeper *keeper)
{
    void *memory = NULL;

    if (mem_alloc(sizeof(struct published), &memory) != ERR_OK) {
        fault_clear(); /* the state before stands until the next round */
        return;
    }
    struct published *const next = memory;
    snapshot_init(&next->head, free_published);
    next->state = keeper->state;
    snapshot_publish(keeper->options.cell, &next->head);
}

void timekeeper_read(void *cell, size_t reactor, struct api_clock_state *out_state)
{
    struct snapshot *const held = snapshot_refresh(cell, reactor, NULL);

    *out_state = (struct api_clock_state){.state = API_CLOCK_OFF};
    if (held != NULL) {
        *out_state = ((struct published *)held)->state;
        snapshot_unref(held);
    }
}

static void enter(struct timekeeper *keeper, enum api_clock_kind state)
{
    static const char *const names[] = {[API_CLOCK_OFF] = "off",
                                        [API_CLOCK_WAITING] = "waiting",
                                        [API_CLOCK_SYNCHRONIZED] = "synchronized",
                                        [API_CLOCK_DISAGREEING] = "disagreeing",
                                        [API_CLOCK_UNREACHABLE] = "unreachable"};
    _Static_assert(ARRAY_LENGTH(names) == API_CLOCK_STATES, "each has a name");

    if (keeper->state.state != state) {
        LOG(state == API_CLOCK_DISAGREEING ? LOG_WARN : LOG_INFO, "time_servers", LOG_LITERAL("state", names[state]));
    }
    keeper->state.state = state;
    publish(keeper);
}

/* --- a round --- */

/* By how much the clock of this machine is behind, now. Both are within 2^62. */
static int64_t offset_of(const struct timekeeper *keeper, const struct outbound_reading *reading)
{
    const uint64_t now_ns = hal_clock_mono(keeper->options.clock).ns;
    const uint64_t since_ns = now_ns > reading->at.ns ? now_ns - reading->at.ns : 0;

    return (int64_t)(reading->unix_ns + since_ns) - hal_clock_wall(keeper->options.clock).ms * NS_PER_MS;
}

static struct time_voice voice_of(const struct timekeeper *keeper, const struct server *server)
{
    const struct outbound_reading *const reading = &server->job.reading;
    /* The supervisor ends a worker that tells of an instant to come: a courier must not have it say so. */
    const bool is_past = reading->at.ns <= hal_clock_mono(keeper->options.clock).ns;
    const bool is_there = server->has_answered && is_past && reading->unix_ns < LATEST_NS;

    return (struct time_voice){.is_there = is_there,
                               .authenticated = reading->authenticated,
                               .offset_ns = is_there ? offset_of(keeper, reading) : 0,
                               .error_ns = reading->distance_ns < LATEST_NS ? reading->distance_ns + SLACK_NS : LATEST_NS};
}

static void believe(struct timekeeper *keeper, const struct server *server, const struct time_voice *voice)
{
    struct timekeeper_word word = {.reading = server->job.reading};
    const bool is_right = voice->offset_ns < RIGHT_NS && voice->offset_ns > -RIGHT_NS;

    memcpy(word.source, server->host, sizeof(word.source));
    keeper->state.has_reading = true;
    keeper->state.authenticated = voice->authenticated;
    memcpy(keeper->state.source, server->host, sizeof(server->host));
    keeper->state.checked_at = hal_clock_wall(keeper->options.clock);
    keeper->state.offset_ms = voice->offset_ns / NS_PER_MS;
    keeper->state.error_ms = (int64_t)(voice->error_ns / (uint64_t)NS_PER_MS);
    keeper->wait_ms = is_right && keeper->wait_ms >= POLL_MIN_MS ? num_min(2 * keeper->wait_ms, POLL_MAX_MS) : POLL_MIN_MS;
    enter(keeper, API_CLOCK_SYNCHRONIZED);
    keeper->options.tell(keeper->options.context, &word);
}

static void judge(struct timekeeper *keeper)
{
    struct time_voice voices[NETWORK_TIME_SERVERS_MAX] = {{.is_there = false}};
    size_t chosen = 0;

    for (size_t i = 0; i < keeper->count; i++) {
        voices[i] = voice_of(keeper, &keeper->servers[i]);
    }
    const enum err err = time_pick(voices, keeper->count, &chosen);
    if (err == ERR_OK) {
        believe(keeper, &keeper->servers[chosen], &voices[chosen]);
        return;
    }
    if (err == ERR_CONFLICT) {
        keeper->wait_ms = POLL_MIN_MS;
        enter(keeper, API_CLOCK_DISAGREEING);
        return;
    }
    keeper->wait_ms = num_min(2 * keeper->wait_ms, POLL_MAX_MS);
    enter(keeper, API_CLOCK_UNREACHABLE);
}

static void end_round(struct timekeeper *keeper)
{
    keeper->in_round = false;
    if (keeper->on_drained != NULL) {
        keeper->on_drained(keeper->context);
        return;
    }
    judge(keeper);
    keeper->next = mono_add_ms(loop_now(keeper->options.loop), keeper->wait_ms);
}

static void end_job(struct server *server)
{
    server->keeper->busy--;
    if (server->keeper->busy == 0) {
        end_round(server->keeper);
    }
}

/* A question that was lost says nothing about what the server wants. */
static void note_refusal(struct server *server)
{
    if (server->job.result == OUTBOUND_REFUSED) {
        server->refused_ms = server->refused_ms == 0 ? REFUSED_MIN_MS : num_min(2 * server->refused_ms, REFUSED_MAX_MS);
        server->again = mono_add_ms(loop_now(server->keeper->options.loop), server->refused_ms);
        LOG(LOG_WARN, "time_server_refuses", LOG_TEXT("host", span_str(server->host)),
            LOG_NUMBER("again_s", server->refused_ms / S_MS));
    } else if (server->has_answered) {
        server->refused_ms = 0;
    }
}

static void on_job(struct outbound_job *job)
{
    /* The job is a member of the server. */
    struct server *const server = (void *)((char *)job - offsetof(struct server, job));

    server->has_answered = job->result == OUTBOUND_DONE;
    note_refusal(server);
    server->pause = job->result == OUTBOUND_TEMPORARY && job->stage == OUTBOUND_AT_RATE ? 4 : 0;
    if (!server->has_answered) {
        LOG(LOG_WARN, "time_server", LOG_TEXT("host", span_str(server->host)),
            LOG_LITERAL("stage", outbound_stage_name(job->stage)));
    }
    end_job(server);
}

static void ask(struct server *server)
{
    struct timekeeper *const keeper = server->keeper;

    server->has_answered = false;
    if (server->pause != 0) {
        server->pause--;
        return;
    }
    if (loop_now(keeper->options.loop).ns < server->again.ns) {
        return;
    }
    server->job = (struct outbound_job){
        .done = on_job,
        .loop = keeper->options.loop,
        .to = {.kind = OUTBOUND_TIME, .tls = server->nts ? OUTBOUND_TLS : OUTBOUND_CLEAR, .port = server->port,
               .host = span_str(server->host), .ca = span_of(server->ca, server->ca_len)}};
    keeper->busy++;
    if (keeper->options.outbound.submit(keeper->options.outbound.context, &server->job) != ERR_OK) {
        fault_clear(); /* as one that was not reached */
        keeper->busy--;
    }
}

static void begin_round(struct timekeeper *keeper)
{
    keeper->in_round = true;
    for (size_t i = 0; i < keeper->count; i++) {
        ask(&keeper->servers[i]);
    }
    if (keeper->busy == 0) {
        end_round(keeper);
    }
}

/* --- settings --- */

static bool is_same(const struct server *server, const struct network_time_server *set)
{
    return span_equal(span_str(server->host), set->host) && server->port == set->port && server->nts == set->nts &&
           span_equal(span_of(server->ca, server->ca_len), set->ca);
}

static bool is_set_so(const struct timekeeper *keeper, const struct network_time *time)
{
    for (size_t i = 0; i < time->count && i < keeper->count; i++) {
        if (!is_same(&keeper->servers[i], &time->servers[i])) {
            return false;
        }
    }
    return time->count == keeper->count;
}

static void take(struct timekeeper *keeper, const struct network_time *time)
{
    memset(keeper->servers, 0, sizeof(keeper->servers));
    keeper->count = time->count;
    for (size_t i = 0; i < time->count; i++) {
        const struct network_time_server *const set = &time->servers[i];
        struct server *const server = &keeper->servers[i];
        INVARIANT(set->host.len <= OUTBOUND_HOST_MAX && set->ca.len <= sizeof(server->ca)); /* network_time_read() */
        memcpy(server->host, set->host.data, set->host.len);
        if (set->ca.len != 0) {
            memcpy(server->ca, set->ca.data, set->ca.len);
        }
        server->ca_len = set->ca.len;
        server->port = set->port;
        server->nts = set->nts;
        server->keeper = keeper;
    }
    keeper->state.has_reading = false;
    keeper->wait_ms = RETRY_MIN_MS / 2;
    keeper->next = loop_now(keeper->options.loop);
    enter(keeper, time->count == 0 ? API_CLOCK_OFF : API_CLOCK_WAITING);
}

static void on_time(struct loop_timer *timer)
{
    /* The timer is a member of the keeper. */
    struct timekeeper *const keeper = (void *)((char *)timer - offsetof(struct timekeeper, timer));
    const struct mono_time now = loop_now(keeper->options.loop);
    struct network_time time = {.count = 0};

    loop_timer_set(keeper->options.loop, &keeper->timer, mono_add_ms(now, LOOK_MS));
    if (keeper->in_round) {
        return;
    }
    keeper->options.settings(keeper->options.context, &time);
    if (!is_set_so(keeper, &time)) {
        take(keeper, &time);
    }
    if (keeper->count != 0 && now.ns >= keeper->next.ns) {
        begin_round(keeper);
    }
}

/* --- life --- */

enum err timekeeper_new(const struct timekeeper_options *options, struct timekeeper **out_keeper)
{
    void *memory = NULL;

    TRY(mem_alloc(sizeof(struct timekeeper), &memory));
    struct timekeeper *const keeper = memory;
    keeper->options = *options;
    keeper->timer.on_time = on_time;
    loop_timer_set(options->loop, &keeper->timer, loop_now(options->loop));
    *out_keeper = keeper;
    return ERR_OK;
}

void timekeeper_drain(struct timekeeper *keeper, void (*on_drained)(void *context), void *context)
{
    loop_timer_clear(keeper->options.loop, &keeper->timer);
    keeper->on_drained = on_drained;
    keeper->context = context;
    if (!keeper->in_round) {
        on_drained(context);
    }
}

void timekeeper_free(struct timekeeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    loop_timer_clear(keeper->options.loop, &keeper->timer);
    if (!keeper->in_round) { /* else the loop failed: others still write here until the process ends */
        mem_free(keeper);
    }
}
