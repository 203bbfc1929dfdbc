/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `rowlock update FILE`: brings an update file to a box.
 *
 *   look      what does the box have? -> all of this version: done. The front of it: go on there. Anything else: begin anew
 *   piece     the next MiB from where the box says it is
 *   no answer, or one that says "later": wait, look again; PAUSES_MAX times without a piece that was taken
 *   refused   where it went on with what somebody began earlier, that may have been another file of this version: begin anew, once
 *
 * Whether the file is good is decided by the box, as it comes in; what is read of it here only tells versions apart. */
#include "firmware/cli/cli.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "firmware/cli/session.h"
#include "firmware/cli/tell.h"
#include "firmware/cli/words.h"
#include "firmware/update/update.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"
#include "hal/base/num.h"
#include "hal/file.h"
#include "hal/socket.h"

#define PIECE_MAX  ((size_t)1048576) /* the API takes no more at once */
#define PATH_BYTES 64
#define PAUSES_MAX 6 /* 1, 2, 4, 8, 16 and 32 s */

struct sending {
    const struct words *words;
    struct tell *tell;
    struct session *session;
    int file;
    uint64_t file_bytes;
    struct update_info info;
    uint8_t *piece;
    struct reply reply;  /* the box's last words */
    uint64_t received;   /* as the box last said, as the next two */
    uint64_t furthest;   /* that it was, of the file that is being sent */
    bool is_receiving;
    bool is_complete;
    bool is_ours;        /* what it has is of the file's version, or of none that it knows yet */
    bool begun;          /* by this command */
    unsigned int pauses; /* since a piece was taken */
    enum cli_status lost; /* what OUTCOME_LOST ends the command with */
};

/* What came of a request. */
enum outcome { OUTCOME_OK, OUTCOME_LATER, OUTCOME_REFUSED, OUTCOME_LOST };

/* --- the box's words --- */

static void take_status(struct sending *sending)
{
    const struct json_value *const received = json_find(sending->reply.body, span_lit("received"));
    const struct span state = reply_text(&sending->reply, "state");
    const struct span version = reply_text(&sending->reply, "version");

    sending->received = received != NULL && received->type == JSON_INT && received->as.integer >= 0
                            ? (uint64_t)received->as.integer
                            : 0;
    sending->is_receiving = span_equal(state, span_lit("receiving"));
    sending->is_complete = span_equal(state, span_lit("complete")) || span_equal(state, span_lit("installed"));
    sending->is_ours = span_equal(version, span_str(sending->info.version)) || (version.len == 0 && sending->begun);
}

static bool is_passing(enum err err)
{
    return err == ERR_CLOSED || err == ERR_TIMEOUT || err == ERR_NOT_FOUND || err == ERR_REFUSED;
}

static enum outcome ask(struct sending *sending, const struct session_ask *ask)
{
    const enum err err = session_send(sending->session, ask, &sending->reply);

    if (err != ERR_OK && is_passing(err) && sending->pauses < PAUSES_MAX) {
        fault_clear();
        return OUTCOME_LATER;
    }
    if (err != ERR_OK) {
        tell_failure(sending->tell, err == ERR_DENIED ? "the session" : "the box", err);
        sending->lost = err == ERR_DENIED ? CLI_NOT_SIGNED : CLI_NOT_REACHED;
        return OUTCOME_LOST;
    }
    if (sending->reply.status == REPLY_UNAVAILABLE || sending->reply.status == REPLY_TOO_MANY) {
        return sending->pauses < PAUSES_MAX ? OUTCOME_LATER : OUTCOME_REFUSED;
    }
    if (sending->reply.status != REPLY_OK) {
        return OUTCOME_REFUSED;
    }
    take_status(sending);
    return OUTCOME_OK;
}

static enum outcome look(struct sending *sending)
{
    return ask(sending, &(struct session_ask){"GET", span_lit("/v1/admin/updates"), SESSION_JSON, SPAN_NONE});
}

static enum outcome begin(struct sending *sending)
{
    sending->begun = true;
    sending->furthest = 0;
    return ask(sending, &(struct session_ask){"POST", span_lit("/v1/admin/updates"), SESSION_JSON, span_lit("{}")});
}

/* --- pieces --- */

static enum err piece_path(uint64_t offset, struct buf *path)
{
    char digits[SPAN_U64_TEXT_MAX];

    TRY(buf_put(path, span_lit("/v1/admin/updates/bytes?offset=")));
    return buf_put(path, span_from_u64(offset, digits));
}

static enum outcome send_piece(struct sending *sending)
{
    const size_t len = (size_t)num_min((size_t)(sending->file_bytes - sending->received), PIECE_MAX);
    SCOPED_BUF struct buf *path = NULL;

    enum err err = buf_new(PATH_BYTES, &path);
    err = err != ERR_OK ? err : piece_path(sending->received, path);
    err = err != ERR_OK ? err : file_read_at(sending->file, sending->received, len, sending->piece);
    if (err != ERR_OK) {
        tell_failure(sending->tell, sending->words->file, err);
        sending->lost = CLI_REFUSED;
        return OUTCOME_LOST;
    }
    const struct session_ask piece = {"POST", buf_all(path), SESSION_BYTES, span_of(sending->piece, len)};
    const uint64_t before = sending->received;
    const enum outcome outcome = ask(sending, &piece);
    if (outcome == OUTCOME_OK && sending->is_receiving && sending->received <= before) {
        tell_failure(sending->tell, "the box takes pieces and does not keep them", ERR_MALFORMED);
        sending->lost = CLI_REFUSED;
        return OUTCOME_LOST;
    }
    if (outcome == OUTCOME_OK) {
        if (sending->received > sending->furthest) { /* else it has gone back, and the pauses are counted on */
            sending->furthest = sending->received;
            sending->pauses = 0;
        }
        tell_progress(sending->tell, sending->received, sending->file_bytes);
    }
    return outcome;
}

static void wait_a_while(struct sending *sending)
{
    const struct timespec wait = {.tv_sec = (time_t)1 << sending->pauses};

    (void)nanosleep(&wait, NULL); /* an early end is no harm */
    sending->pauses++;
}

static bool is_whole(const struct sending *sending)
{
    return sending->is_complete && sending->is_ours && sending->received == sending->file_bytes;
}

/* The next request that the box's last words ask for. */
static enum outcome step(struct sending *sending)
{
    if (sending->is_receiving && sending->is_ours && sending->received < sending->file_bytes) {
        return send_piece(sending);
    }
    if (sending->begun) { /* what came of it is no place to go on */
        return OUTCOME_REFUSED;
    }
    return begin(sending);
}

static enum cli_status send_file(struct sending *sending)
{
    enum outcome outcome = look(sending);

    while (outcome != OUTCOME_OK || !is_whole(sending)) { /* ends: each turn moves what was received, begins once, or counts a pause */
        if (outcome == OUTCOME_LOST) {
            return sending->lost;
        }
        if (outcome == OUTCOME_LATER) {
            wait_a_while(sending);
            outcome = look(sending);
        } else if (outcome == OUTCOME_OK) {
            outcome = step(sending);
        } else if (!sending->begun && sending->is_receiving) {
            outcome = begin(sending);
        } else {
            tell_refusal(sending->tell, "refused", &sending->reply);
            return CLI_REFUSED;
        }
    }
    return CLI_DONE;
}

/* --- all of it --- */

static enum cli_status install(struct sending *sending)
{
    const enum outcome outcome =
        ask(sending, &(struct session_ask){"POST", span_lit("/v1/admin/updates/install"), SESSION_JSON, span_lit("{}")});

    if (outcome == OUTCOME_OK) {
        tell_done(sending->tell, &sending->reply, "installed; the box starts anew, and tries ", span_str(sending->info.version));
        session_forget(TAKE(sending->session));
        return CLI_DONE;
    }
    if (outcome == OUTCOME_LATER) { /* not asked twice: it may have begun */
        tell_failure(sending->tell, "nobody can say whether it was installed", ERR_CLOSED);
        return CLI_NOT_REACHED;
    }
    if (outcome == OUTCOME_REFUSED) {
        tell_refusal(sending->tell, "refused", &sending->reply);
        return CLI_REFUSED;
    }
    return sending->lost;
}

static enum err open_file(struct sending *sending)
{
    uint8_t head[UPDATE_HEAD_BYTES];
    void *memory = NULL;

    TRY(file_open(sending->words->file, &sending->file, &sending->file_bytes));
    TRY(file_read_at(sending->file, 0, sizeof(head), head));
    TRY(update_peek(span_array(head), &sending->info));
    TRY(mem_alloc(PIECE_MAX, &memory));
    sending->piece = memory;
    return ERR_OK;
}

static enum cli_status bring(struct sending *sending)
{
    const enum err err = open_file(sending);
    if (err != ERR_OK) {
        tell_failure(sending->tell, sending->words->file, err);
        return CLI_REFUSED;
    }
    enum cli_status status = session_open(sending->words, sending->tell, &sending->session);
    if (status != CLI_DONE) {
        return status;
    }
    status = send_file(sending);
    if (status != CLI_DONE) {
        return status;
    }
    if (sending->words->install) {
        return install(sending);
    }
    tell_done(sending->tell, &sending->reply, "all of it is there; --install has it tried: ", span_str(sending->info.version));
    return CLI_DONE;
}

int cli_update(int argc, char **argv)
{
    struct words words = {.file = NULL};
    struct tell tell = {.json = false};

    if (words_read(WORDS_UPDATE, (size_t)argc, argv, &words) != ERR_OK) {
        fault_clear();
        return CLI_USAGE;
    }
    tell_init(words.json, &tell);
    struct sending sending = {.words = &words, .tell = &tell, .file = -1};
    const enum cli_status status = bring(&sending);
    session_close(sending.session);
    socket_close(sending.file);
    mem_free(sending.piece);
    return (int)status;
}
