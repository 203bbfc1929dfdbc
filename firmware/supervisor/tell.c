/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people and clients are told: the CA's file, and the report of the first answer. */
#include "firmware/supervisor/supervisor_int.h"

#include <stdio.h>
#include <string.h>

#include "crypto/x509.h"
#include "firmware/supervisor/report.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/board.h"
#include "hal/socket.h"

#define FILE_CA      "ca.pem"
#define FILE_PROJECT "project" /* id and environment of the first project, one line each; not secret */
#define CA_FILE_MAX  4096
#define ADDRESS_MS   5000U /* DHCP takes a tenth of a second where there is a server */

enum err supervisor_write_ca(struct supervisor *supervisor, struct span pem)
{
    SCOPED_BUF struct buf *old = NULL;

    TRY(buf_new(CA_FILE_MAX, &old));
    if (datadir_has(supervisor->dir, FILE_CA)) {
        TRY(datadir_read(supervisor->dir, FILE_CA, old));
    }
    if (span_equal(buf_all(old), pem)) {
        return ERR_OK;
    }
    TRY(datadir_write_public(supervisor->dir, FILE_CA, pem));
    return ERR_OK;
}

/* Remembers which project was made at the first start, so that later starts can name it. */
static enum err project_remember(struct supervisor *supervisor)
{
    SCOPED_BUF struct buf *text = NULL;

    TRY(buf_new(MSG_UUID_BYTES + MSG_ENVIRONMENT_MAX + 2, &text));
    TRY(buf_put(text, MSG_VIEW(&supervisor->news.project)));
    TRY(buf_put_u8(text, '\n'));
    TRY(buf_put(text, MSG_VIEW(&supervisor->news.environment)));
    TRY(buf_put_u8(text, '\n'));
    TRY(datadir_write(supervisor->dir, FILE_PROJECT, buf_all(text)));
    return ERR_OK;
}

static enum err project_recall(struct supervisor *supervisor)
{
    SCOPED_BUF struct buf *text = NULL;
    struct span environment = SPAN_NONE;

    if (!datadir_has(supervisor->dir, FILE_PROJECT)) {
        return ERR_OK;
    }
    TRY(buf_new(MSG_UUID_BYTES + MSG_ENVIRONMENT_MAX + 2, &text));
    TRY(datadir_read(supervisor->dir, FILE_PROJECT, text));
    const struct span all = buf_all(text);
    const size_t first_end = span_find(all, '\n');
    ENSURE(first_end == MSG_UUID_BYTES && all.len > first_end + 1, ERR_MALFORMED, "the project's file");
    TRY(span_slice(all, first_end + 1, all.len - first_end - 2, &environment));
    TRY(MSG_SET(&supervisor->news.project, span_of(all.data, first_end)));
    TRY(MSG_SET(&supervisor->news.environment, environment));
    return ERR_OK;
}

enum err supervisor_put_url(const struct supervisor *supervisor, struct buf *url)
{
    const struct options *const options = supervisor->options;
    char port[8];
    char text[SOCKET_ADDRESS_TEXT_MAX] = "";
    size_t len_of_text = 0;
    static const uint8_t any[16] = {0};
    const bool is_loopback = options->listen.ip[0] == 127 || strcmp(options->listen_text, "::1") == 0;
    const bool is_any = memcmp(options->listen.ip, any, sizeof(any)) == 0;

    TRY(buf_put(url, span_lit("https://")));
    if (options->name_count != 0) {
        TRY(buf_put(url, span_str(options->names[0])));
    } else if (options->listens ? is_loopback || is_any : supervisor->net_count == 0) {
        TRY(buf_put(url, span_lit("localhost")));
    } else {
        const struct socket_address *const here = options->listens ? &options->listen : &supervisor->net[0];
        const bool brackets = here->family == SOCKET_IPV6;
        socket_address_format(here, text, &len_of_text);
        TRY(buf_put(url, brackets ? span_lit("[") : span_lit("")));
        TRY(buf_put(url, options->listens ? span_str(options->listen_text) : span_of(text, len_of_text)));
        TRY(buf_put(url, brackets ? span_lit("]") : span_lit("")));
    }
    const int len = snprintf(port, sizeof(port), ":%u", (unsigned int)supervisor->port);
    INVARIANT(len > 0 && (size_t)len < sizeof(port));
    TRY(buf_put(url, span_of(port, (size_t)len)));
    return ERR_OK;
}

enum err supervisor_put_admin_url(const struct supervisor *supervisor, struct buf *url)
{
    const struct options *const options = supervisor->options;
    const bool brackets = options->admin.family == SOCKET_IPV6;
    char port[SPAN_U64_TEXT_MAX];

    if (options->admin_text == NULL) {
        return ERR_OK;
    }
    TRY(buf_put(url, brackets ? span_lit("https://[") : span_lit("https://")));
    TRY(buf_put(url, span_str(options->admin_text)));
    TRY(buf_put(url, brackets ? span_lit("]:") : span_lit(":")));
    return buf_put(url, span_from_u64(supervisor->admin_port, port));
}

/* One that is not as it was written has no fingerprint to be compared. */
static enum err fingerprint_of(struct span pem, struct buf *out_hex)
{
    SCOPED_BUF struct buf *der = NULL;
    uint8_t fingerprint[X509_FINGERPRINT_BYTES];
    char hex[HEX_BYTES(X509_FINGERPRINT_BYTES)];

    TRY(buf_new(X509_DER_MAX, &der));
    const enum err err = x509_from_pem(pem, der);
    if (err != ERR_OK) {
        log_fault(LOG_WARN, "ca_file_damaged");
        return ERR_OK;
    }
    x509_fingerprint(buf_all(der), fingerprint);
    hex_encode(span_array(fingerprint), hex);
    return buf_put(out_hex, span_array(hex));
}

/* Whoever reads the console of a box sees none of its files: there the certificate is printed with a name to keep it under. */
static enum err ca_of(struct supervisor *supervisor, struct buf *pem, struct buf *hex, struct span *out_file)
{
    const bool is_console = supervisor->options->init_fd >= 0;

    if (!datadir_has(supervisor->dir, FILE_CA)) {
        *out_file = SPAN_NONE;
        return ERR_OK;
    }
    TRY(datadir_read(supervisor->dir, FILE_CA, pem));
    TRY(fingerprint_of(buf_all(pem), hex));
    if (!is_console) {
        buf_reset(pem);
    }
    *out_file = is_console ? span_lit(FILE_CA) : span_str(supervisor->ca_file);
    return ERR_OK;
}

static enum err print(struct supervisor *supervisor)
{
    SCOPED_BUF struct buf *url = NULL;
    SCOPED_BUF struct buf *admin_url = NULL;
    SCOPED_BUF struct buf *ca = NULL;
    SCOPED_BUF struct buf *fingerprint = NULL;
    struct span ca_file = SPAN_NONE;

    TRY(buf_new(MSG_URL_MAX, &url));
    TRY(buf_new(CA_FILE_MAX, &ca));
    TRY(supervisor_put_url(supervisor, url));
    TRY(buf_new(MSG_URL_MAX, &admin_url));
    TRY(supervisor_put_admin_url(supervisor, admin_url));
    TRY(buf_new(HEX_BYTES(X509_FINGERPRINT_BYTES), &fingerprint));
    TRY(ca_of(supervisor, ca, fingerprint, &ca_file));
    const struct news *const news = &supervisor->news;
    const struct report report = {
        .url = buf_all(url),
        .admin_url = buf_all(admin_url),
        .ca_file = ca_file,
        .ca = buf_all(ca),
        .fingerprint = buf_all(fingerprint),
        .project = MSG_VIEW(&news->project),
        .environment = MSG_VIEW(&news->environment),
        .publishable = MSG_VIEW(&news->publishable),
        .secret = MSG_VIEW(&news->secret),
        .recovery = MSG_VIEW(&news->recovery),
        .setup = MSG_VIEW(&news->setup),
        .state = supervisor->failed ? BOARD_FAILED : supervisor->state,
        .reason = supervisor->failed ? supervisor->failure : supervisor->reason,
        .software_tpm = board_desc.tpm_is_software,
    };
    if (supervisor->options->json) {
        TRY(report_json(&report));
    } else {
        TRY(report_text(&report));
    }
    return ERR_OK;
}

/* What was printed is true from here on: a keeper that does not hear of it any more has died, and the next one is told at
 * its start that no other recovery key is to be made, nor other API keys. */
static void acknowledge(struct supervisor *supervisor)
{
    if (supervisor->news.recovery.len == 0) {
        return;
    }
    supervisor->shown = true;
    supervisor->first = false;
    supervisor->out = MSG_NEW(MSG_KEEPER_SHOWN);
    if (msg_send(supervisor->keeper.control, &supervisor->out) != ERR_OK) {
        log_fault(LOG_WARN, "shown_not_told");
    }
}

/* A report that could not be written keeps the recovery key unseen: the next start shows a new one. After the end of a
 * keeper its recovery key is not printed, since the next keeper makes another: then nothing is said yet.
 * Two things can be new after the report, and a person is told them as the first were: a worker that takes another's place
 * while there is no operator has a setup code of its own, and the one before is worth nothing; and a keeper that finds the
 * TPM which the one before had to do without has a recovery key that nobody has seen. A program reads one line and no more,
 * so that key waits for the next start. Who has stopped reading neither stops nor holds up a box by it. */
static enum err tell(struct supervisor *supervisor)
{
    const bool again = supervisor->reported;
    const bool can_again = !supervisor->options->json && report_has_room();
    const bool is_new = supervisor->news.setup.len != 0 || supervisor->news.recovery.len != 0;

    if ((again && !is_new) || !supervisor->known) {
        return ERR_OK;
    }
    if (supervisor->news.project.len != 0) {
        TRY(project_remember(supervisor));
    } else if (project_recall(supervisor) != ERR_OK) {
        log_fault(LOG_WARN, "project_not_known");
    }
    const enum err err = again && !can_again ? ERR_AGAIN : print(supervisor);
    if (err == ERR_OK) {
        acknowledge(supervisor);
    }
    mem_wipe(&supervisor->news, sizeof(supervisor->news));
    if (err != ERR_OK && again) {
        log_fault(LOG_WARN, "report_not_written");
        return ERR_OK;
    }
    TRY(err);
    supervisor->reported = true;
    return ERR_OK;
}

enum err supervisor_answers(struct supervisor *supervisor)
{
    supervisor->report_is_due = true;
    supervisor->report_by = mono_add_ms(hal_clock_mono(supervisor->clock), ADDRESS_MS);
    TRY(supervisor_look_at_report(supervisor));
    return ERR_OK;
}

/* Whoever reads the URL of a box that asks others for its address connects at once. */
enum err supervisor_look_at_report(struct supervisor *supervisor)
{
    const bool has_no_address = supervisor->frames >= 0 && supervisor->net_count == 0;

    if (!supervisor->report_is_due ||
        (has_no_address && hal_clock_mono(supervisor->clock).ns < supervisor->report_by.ns)) {
        return ERR_OK;
    }
    supervisor->report_is_due = false;
    TRY(tell(supervisor));
    return ERR_OK;
}
