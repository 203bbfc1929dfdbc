/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The API of one reactor: from parsed requests to answers.
 *
 * In every state of the life cycle the same table of routes is used; a route says in which states it is legal, and
 * elsewhere answers 503 common/unavailable. In the states without rows (locked, failed, unprovisioned) there is no data
 * engine. Spec: contract 1, 10. */
#ifndef FIRMWARE_API_API_H
#define FIRMWARE_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"
#include "firmware/auth/hash_pool.h"
#include "firmware/auth/setup_code.h"
#include "firmware/auth/token.h"
#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/base/span.h"
#include "hal/clock.h"
#include "hal/life.h"
#include "hal/onward.h"
#include "net/http.h"
#include "net/limits.h"
#include "net/loop.h"
#include "net/outbound.h"

struct api;
struct data; /* firmware/data/data.h: the opened rows, shared by all reactors of the worker */

/* One try to unlock. It lies in the request's arena; the answer comes once, on the loop's thread. */
struct api_unlock_job {
    void (*done)(struct api_unlock_job *job, enum err err);
    struct span text;     /* the PIN or the recovery key, as typed */
    bool is_recovery_key; /* otherwise a PIN */
    bool sets_date_back;  /* with the recovery key: no later date counts than the clock's */
    uint64_t tag; /* of whoever does it */
};

/* What the keeper does for a request besides: it signs the tokens of a session, and peppers a password. A job lies in the
 * request's arena; its answer comes once, on the loop's thread, unless start answered an error at once (ERR_LIMIT: too
 * many under way; ERR_CLOSED: the keeper is gone). */
struct api_token_job {
    void (*done)(struct api_token_job *job, enum err err);
    struct span environment_id, project_id, environment; /* borrowed until done, as the next line */
    struct span user, session;
    uint32_t access_s, refresh_s; /* how long the tokens live */
    int64_t issued_s;             /* the answer, as the rest */
    size_t access_len, refresh_len;
    char access[AUTH_TOKEN_MAX];
    char refresh[AUTH_TOKEN_MAX];
    uint64_t tag; /* of whoever does it */
};

struct api_pepper_job {
    void (*done)(struct api_pepper_job *job, enum err err);
    uint8_t digest[SHA256_BYTES]; /* of the password */
    uint32_t version;             /* 0: the newest; the answer says which it was */
    uint8_t mac[SHA256_BYTES];    /* the answer; whoever asked wipes it */
    uint64_t tag;
};

struct api_keeper {
    enum err (*sign_tokens)(void *context, struct api_token_job *job);
    enum err (*pepper)(void *context, struct api_pepper_job *job);
    void *context;
};

/* How the worker reaches the keeper. start may answer ERR_LIMIT (a try is under way, or the second is not over) or any
 * other error at once; otherwise job->done follows with
 *   ERR_OK         unlocked: the answer goes out, and then this worker is replaced
 *   ERR_AUTH       not the recovery key of this box
 *   ERR_MALFORMED  no recovery key: a typing error
 *   ERR_PIN        wrong PIN
 *   ERR_LOCKED     the TPM has counted too many wrong ones
 *   ERR_STATE      not locked any more
 *   ERR_NO_DEVICE, ERR_DEVICE, ERR_TIMEOUT and others: 503 */
struct api_unlock {
    enum err (*start)(void *context, struct api_unlock_job *job);
    void *context;
};

/* What the updater is asked for. A job lies in the request's arena; its answer comes once, on the loop's thread, unless start
 * answered an error at once (ERR_UNSUPPORTED: this board has no slots; ERR_LIMIT: too many under way; ERR_CLOSED). */
enum api_update_kind { API_UPDATE_ASK, API_UPDATE_BEGIN, API_UPDATE_PIECE, API_UPDATE_INSTALL };

#define API_UPDATE_VERSION_BYTES 64
struct api_update_job {
    void (*done)(struct api_update_job *job, enum err err); /* of what was asked for; ERR_CLOSED, ERR_TIMEOUT: no answer */
    struct loop *loop;
    enum api_update_kind kind;
    uint64_t offset;   /* of a piece in the file, as the next */
    struct span bytes; /* borrowed until done */
    bool has_status;   /* the answer, as the rest */
    const char *phase; /* a literal */
    uint64_t received;
    uint32_t security; /* of the update, as the next; 0 and empty while they are not known */
    char version[API_UPDATE_VERSION_BYTES];
    char running[API_UPDATE_VERSION_BYTES];
    bool trial;
    enum err err;
    struct loop_post post; /* of whoever does it */
};

struct api_updates {
    enum err (*start)(void *context, struct api_update_job *job); /* NULL: as ERR_UNSUPPORTED. Never blocks */
    void *context;
};

/* A change of Secure Boot that is to come. A job lies in the request's arena, as does what it points to; its answer comes once, on the
 * loop's thread, unless start answered an error at once. ERR_UNSUPPORTED: the board is not measured; ERR_MALFORMED, ERR_AUTH: no plan of
 * the vendor; ERR_CONFLICT: for another board; ERR_ROLLBACK, ERR_REVOKED: a newer one was taken, or the minimum is above it; ERR_STATE;
 * ERR_LIMIT: another one is under way, or was just now; others: 503. */
#define API_PLAN_MAX 400
struct api_plan_job {
    void (*done)(struct api_plan_job *job, enum err err);
    struct loop *loop;
    struct span plan; /* 1 to API_PLAN_MAX bytes, as the owner has sent them */
    enum err err;
    struct loop_post post; /* of whoever does it */
};

struct api_plans {
    enum err (*start)(void *context, struct api_plan_job *job); /* NULL: as ERR_UNSUPPORTED. Never blocks */
    void *context;
};

/* What is known of the clock (network.c). */
enum api_clock_kind {
    API_CLOCK_OFF,
    API_CLOCK_WAITING,
    API_CLOCK_SYNCHRONIZED,
    API_CLOCK_DISAGREEING,
    API_CLOCK_UNREACHABLE,
    API_CLOCK_STATES
};

#define API_CLOCK_SOURCE_BYTES 254
struct api_clock_state {
    enum api_clock_kind state;
    bool has_reading; /* the rest is one */
    bool authenticated;
    char source[API_CLOCK_SOURCE_BYTES];
    struct wall_time checked_at;
    int64_t offset_ms; /* by which the clock was behind then */
    int64_t error_ms;  /* of that, at most */
};

struct api_clock {
    /* NULL: nobody asks for the time. On the thread of that reactor. */
    void (*read)(void *context, size_t reactor, struct api_clock_state *out_state);
    void *context;
    bool is_set; /* else it is the host's business */
};

struct api_options {
    struct loop *loop;
    struct limits *limits; /* one for all reactors */
    const struct hal_clock *clock;
    const struct hal_onward *calendar; /* of that clock: to be told of the keeper's; NULL: it is another clock */
    size_t reactor;    /* 0 .. reactors - 1: this reactor's slot in snapshot cells */
    struct data *data; /* NULL unless operational */
    enum board_state state;
    enum life_reason reason;
    const char *version;
    struct span url; /* of this box, https://name:port, for links in mails */
    unsigned int mail_hold_ms; /* requests for a mail are answered at whole multiples of it; 0: when they are done */
    struct api_unlock unlock;
    struct api_keeper keeper;
    struct outbound outbound; /* submit is NULL unless operational */
    struct api_updates updates;
    struct api_plans plans;
    struct api_clock time;
    struct span about; /* what runs here: one JSON object */
    struct auth_hash_pool *hashes; /* NULL unless operational; one for all reactors */
    const struct setup_code *setup; /* NULL: nothing is the code */
};

/* Everything in options is borrowed for the life of the api. On the thread of the loop. ERR_NO_MEMORY, ERR_LIMIT. */
enum err api_new(const struct api_options *options, struct api **out_api) MUST_USE;

/* After the server that it handles has drained. NULL is fine. */
void api_free(struct api *api);

static inline void api_free_scoped(struct api **api)
{
    api_free(*api);
}

/* The newest catalogue, borrowed until the next call of anything of this api; NULL unless operational. On its thread. */
const struct catalog *api_catalog(struct api *api);

/* For http_server_options; the context is the struct api. A constant. */
const struct http_handler *api_handler(void);

/* The same for ports that are not the administrator's: there is nothing below /v1/admin, for nobody, and nothing is unlocked. */
const struct http_handler *api_data_handler(void);

#endif
