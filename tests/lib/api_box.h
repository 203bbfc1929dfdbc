/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The API over a real database in a temporary folder, without a network: a request is handed to the handler as net would
 * hand it, and its answer is caught. A program that uses it links with
 *   --wrap=http_respond --wrap=http_body
 * and defines nothing else. Time stands still until the test moves box->clock. */
#ifndef TESTS_LIB_API_BOX_H
#define TESTS_LIB_API_BOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "firmware/api/api.h"
#include "firmware/data/data.h"
#include "hal/base/mem.h"
#include "hal/onward.h"
#include "hal/sim/sim_clock.h"
#include "tests/lib/store_box.h"
#include "tests/lib/temp.h"

#define API_BOX_TEXT_MAX         262144
#define API_BOX_ENVIRONMENTS_MAX 16
#define API_BOX_HASH_QUEUE       8

/* The token keys of an environment, as the keeper would hold them: the oldest first, and which of them signs. */
struct api_box_environment {
    char id[DATA_TOKEN_ID_BYTES];
    struct signer *signers[DATA_TOKEN_KEYS_MAX];
    size_t count, signs;
};

struct api_box {
    struct temp_dir dir;
    struct secret_slab *slab;
    struct random *random;
    struct memory_keeper keeper;
    struct data_keys keys;
    struct sim_clock clock;
    struct hal_onward calendar; /* over it, as in the worker */
    int64_t keeper_ahead_ms;    /* by which the keeper's calendar is ahead of that */
    struct loop *loop;
    struct limits *limits;
    struct auth_hash_pool *hashes;
    struct outbound outbound; /* nothing until a test puts something there and restarts */
    struct api_updates updates; /* the same */
    struct api_plans plans;     /* the same */
    struct api_clock time;      /* the same */
    struct span about;          /* the same */
    struct setup_code setup; /* nothing is the code until a test makes one */
    unsigned int mail_hold_ms; /* nothing is held until a test says so and restarts */
    struct api_box_environment environments[API_BOX_ENVIRONMENTS_MAX];
    size_t environment_count;
    struct data *data;
    struct api *api;
    atomic_uint mail_notes;      /* what data_config.on_mails told since the test took it */
    void (*before)(void);        /* called right before the handler is, if set */
    struct data_bootstrap first; /* project and keys of the first start */
    char publishable[DATA_KEY_BYTES + 1];
    char secret[DATA_KEY_BYTES + 1];
};

/* An operational box with the first project and its keys. Stops the program when it cannot be made. */
struct api_box *api_box_new(void);
void api_box_free(struct api_box *box);

/* For cmocka: the same as set-up and tear-down. */
int api_box_set_up(void **state);
int api_box_tear_down(void **state);

/* Closes data and api and opens them again: a restart of the worker. */
void api_box_restart(struct api_box *box);

/* The two halves of it. What data_open says; the box stays closed unless that is ERR_OK. */
void api_box_close(struct api_box *box);
enum err api_box_open(struct api_box *box);

/* Another api on the same parts, in another state; the caller frees it. */
struct api *api_box_in_state(struct api_box *box, enum board_state state, enum life_reason reason);

struct api_answer {
    unsigned int status;
    char body[API_BOX_TEXT_MAX];
    size_t body_len;
    char headers[4096]; /* "Name: value\n" each */
};

struct api_ask {
    const char *method;
    const char *target; /* path and query */
    const char *key;    /* X-API-Key; NULL: none */
    const char *body;   /* NULL: none; otherwise Content-Type is application/json */
    const char *header; /* one more: "Name: value"; NULL: none */
    const char *header2;
    const char *content_type; /* instead of application/json */
    struct api *api;          /* NULL: box->api */
    bool apart;               /* on a port that is not the administrator's, who has one of his own */
    const char *peer;         /* the client's address; NULL: 192.0.2.7 */
};

/* Asks and waits for the answer, which lives until the next call. */
const struct api_answer *api_box_ask(struct api_box *box, const struct api_ask *ask);

/* The usual forms. */
const struct api_answer *api_box_get(struct api_box *box, const char *key, const char *target);
const struct api_answer *api_box_send(struct api_box *box, const char *method, const char *key, const char *target,
                                      const char *body);

/* POST with the publishable key, as an app does. */
const struct api_answer *api_box_post(struct api_box *box, const char *target, const char *body);

/* The clock goes on. */
void api_box_pass_s(struct api_box *box, uint64_t seconds);

/* Settings of the first project, as members of an object; it has to take them. */
void api_box_settings(struct api_box *box, const char *members);

/* An exchange begun and not waited for: turns of the loop go on only in api_box_finish. */
struct api_box_pending;
struct api_box_pending *api_box_begin(struct api_box *box, const struct api_ask *ask);
const struct api_answer *api_box_finish(struct api_box *box, struct api_box_pending *pending);

/* The same request twice at once: one is answered the one status, and the other the other. */
void api_box_twice(struct api_box *box, const struct api_ask *ask, unsigned int lower, unsigned int higher);

/* Has it been answered? And the client going away, as net tells it. */
bool api_box_is_done(const struct api_box_pending *pending);
void api_box_hang_up(struct api_box_pending *pending);

/* A token signed with the key of an environment, saying whatever the test wants it to say. */
void api_box_token(struct api_box *box, struct span environment_id, const struct auth_claims *claims,
                   char out_token[AUTH_TOKEN_MAX + 1]);

/* Is there such a member, a text or a number, at this path: "error.code", "items.0.id".
 * Copies it to out_text as text; false if it is not there. */
bool api_answer_member(const struct api_answer *answer, const char *path, char *out_text, size_t out_size);

/* The same as text, cut at API_ANSWER_TEXT_MAX, that lives until the eighth call from now; if it is not there, a text that
 * says so and shows the answer. */
#define API_ANSWER_TEXT_MAX 512
const char *api_answer_text(const struct api_answer *answer, const char *path);

/* The answer refuses, with this status and public code; prints it if not. */
#define assert_refused(answer_, status_, code_)                                                                        \
    do {                                                                                                               \
        const struct api_answer *refused_ = (answer_);                                                                 \
        if (refused_->status != (status_)) {                                                                           \
            print_message("%s\n", refused_->body);                                                                     \
        }                                                                                                              \
        assert_int_equal(refused_->status, (status_));                                                                 \
        assert_string_equal(api_answer_text(refused_, "error.code"), (code_));                                         \
    } while (0)

/* Sets up a table by the management API and returns its id in out_id (37 bytes). Stops the program on failure. */
void api_box_table(struct api_box *box, const char *body, char *out_id);

#endif
