/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An entry is looked up by the digest of the issuer's address and of the certificates that are trusted for it, so changed
 * settings are another entry. While its document and keys are fetched, all who need them wait in its list: one fetch is
 * under way for an issuer, however many sign in. */
#include "firmware/api/oidc_int.h"

#include <string.h>

#include "firmware/data/doc.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "net/json.h"

#define DISCOVERY   "/.well-known/openid-configuration"
#define ARENA_BYTES ((size_t)4 << 20) /* two answers of OUTBOUND_ANSWER_MAX as trees */
#define ARENA_KEEP  4096
#define NS_PER_S    UINT64_C(1000000000)
#define MS_PER_S    UINT64_C(1000)
#define STATUS_OK   200

struct issuer {
    uint8_t id[SHA256_BYTES];
    bool used;
    bool known; /* the next lines hold */
    bool secret_in_form;
    char token_path[HTTPS_URL_MAX];
    size_t token_path_len;
    struct id_keys *keys;
    struct mono_time known_at;
    struct mono_time asked_at;      /* the last time, or when that ended */
    struct mono_time renewed_until; /* all renewals are there again: one takes OIDC_RENEWAL_S to come back */
    struct oidc_wait *waiting;
    struct fetch *fetch; /* NULL: none is under way */
};

struct oidc {
    struct issuer issuers[OIDC_ISSUERS_MAX];
};

/* Document, then keys. The provider is that of the first who waits, who waits until the end. */
struct fetch {
    struct outbound_job job;
    struct issuer *issuer;
    struct api *api;
    const struct data_oidc *provider;
    struct buf *answer;
    struct arena *arena;
    struct span token_path, keys_path; /* in the arena, as the job's path */
    bool secret_in_form;
};

/* --- time --- */

static uint64_t age_s(const struct api *api, struct mono_time since)
{
    const struct mono_time now = loop_now(api->options.loop);

    return now.ns <= since.ns ? 0 : (now.ns - since.ns) / NS_PER_S;
}

/* --- the table --- */

static void issuer_id(const struct data_oidc *provider, uint8_t out_id[SHA256_BYTES])
{
    struct sha256_stream stream;

    sha256_init(&stream);
    sha256_update(&stream, provider->issuer);
    sha256_update(&stream, span_lit("\n")); /* stands in no address */
    sha256_update(&stream, provider->ca);
    sha256_final(&stream, out_id);
}

static void fetch_free(struct fetch *fetch)
{
    if (fetch != NULL) {
        buf_free(fetch->answer);
        arena_free(fetch->arena);
        mem_free(fetch);
    }
}

void oidc_free(struct oidc *oidc)
{
    for (size_t i = 0; oidc != NULL && i < OIDC_ISSUERS_MAX; i++) {
        INVARIANT(oidc->issuers[i].fetch == NULL);
        mem_free(oidc->issuers[i].keys);
    }
    mem_free(oidc);
}

static struct oidc *table_of(struct api *api)
{
    void *memory = NULL;

    if (api->oidc == NULL && mem_alloc(sizeof(struct oidc), &memory) == ERR_OK) {
        api->oidc = memory;
    }
    return api->oidc;
}

/* The entry of that id; or a free one for it, or that which was asked for longest ago. NULL: all are being fetched. */
static struct issuer *take_entry(struct oidc *oidc, const uint8_t id[SHA256_BYTES])
{
    struct issuer *oldest = NULL;

    for (size_t i = 0; i < OIDC_ISSUERS_MAX; i++) {
        struct issuer *entry = &oidc->issuers[i];
        if (entry->used && span_equal(span_array(entry->id), span_of(id, SHA256_BYTES))) {
            return entry;
        }
        if (entry->fetch == NULL &&
            (oldest == NULL || (oldest->used && (!entry->used || entry->asked_at.ns < oldest->asked_at.ns)))) {
            oldest = entry;
        }
    }
    if (oldest != NULL) {
        mem_free(oldest->keys);
        *oldest = (struct issuer){.used = true};
        memcpy(oldest->id, id, SHA256_BYTES);
    }
    return oldest;
}

static void fill(const struct issuer *issuer, struct oidc_known *out)
{
    *out = (struct oidc_known){.token_path = span_of(issuer->token_path, issuer->token_path_len),
                               .secret_in_form = issuer->secret_in_form,
                               .keys = issuer->keys};
}

/* --- the end of a fetch --- */

enum err oidc_destination(const struct data_oidc *provider, struct outbound_destination *out_to)
{
    struct https_url url;

    TRY(https_url_read(provider->issuer, &url));
    *out_to = (struct outbound_destination){
        .kind = OUTBOUND_HTTPS, .tls = OUTBOUND_TLS, .port = url.port, .host = url.host, .ca = provider->ca};
    return ERR_OK;
}

void oidc_log_failure(const struct data_oidc *provider, const char *step, const struct outbound_job *job)
{
    const struct log_field fields[] = {LOG_TEXT("provider", provider->name), LOG_LITERAL("step", step),
                                       LOG_LITERAL("stage", outbound_stage_name(job->stage)),
                                       LOG_NUMBER("status", job->status)};

    log_event(LOG_WARN, "issuer_failed", fields, ARRAY_LENGTH(fields));
}

/* What was known before is taken for a while if nothing newer came. That while begins here: those who waited look again at
 * once, and would begin another fetch, and so on, where one took longer than the while is. */
static void finish(struct fetch *fetch, enum err err)
{
    struct issuer *issuer = fetch->issuer;
    struct oidc_wait *wait = TAKE(issuer->waiting);
    const bool usable = issuer->known && age_s(fetch->api, issuer->known_at) < OIDC_STALE_S;

    if (err != ERR_OK) {
        fault_clear();
    }
    issuer->asked_at = loop_now(fetch->api->options.loop);
    issuer->fetch = NULL;
    fetch_free(fetch);
    while (wait != NULL) {
        struct oidc_wait *next = wait->next; /* the callback may end the request that holds it */
        wait->ready(wait, usable && !wait->newer ? ERR_OK : err);
        wait = next;
    }
}

/* --- the keys --- */

static enum err take_keys(struct fetch *fetch)
{
    struct issuer *issuer = fetch->issuer;
    void *memory = issuer->keys;

    if (memory == NULL) {
        TRY(mem_alloc(sizeof(struct id_keys), &memory));
        issuer->keys = memory;
    }
    return id_keys_read(buf_all(fetch->answer), fetch->arena, issuer->keys);
}

/* ERR_LIMIT: nobody has asked the issuer, because too much else was to be asked; ERR_IO: it has not answered. */
static enum err check_answered(const struct fetch *fetch)
{
    if (fetch->job.result == OUTBOUND_TEMPORARY && fetch->job.stage == OUTBOUND_AT_QUEUE) {
        return ERR_LIMIT;
    }
    return fetch->job.result == OUTBOUND_DONE && fetch->job.status == STATUS_OK ? ERR_OK : ERR_IO;
}

static void on_keys(struct outbound_job *job)
{
    struct fetch *fetch = (struct fetch *)job;
    struct issuer *issuer = fetch->issuer;
    const struct span path = fetch->token_path;

    INVARIANT(path.len <= sizeof issuer->token_path);
    enum err err = check_answered(fetch);
    err = err == ERR_OK ? take_keys(fetch) : err;
    if (err != ERR_OK) {
        oidc_log_failure(fetch->provider, "keys", job);
        finish(fetch, err);
        return;
    }
    memcpy(issuer->token_path, path.data, path.len);
    issuer->token_path_len = path.len;
    issuer->secret_in_form = fetch->secret_in_form;
    issuer->known = true;
    issuer->known_at = loop_now(fetch->api->options.loop);
    finish(fetch, ERR_OK);
}

/* --- the document --- */

/* The path of an endpoint on the issuer's own host. */
static enum err read_endpoint(const struct json_value *document, struct span name, const struct https_url *issuer,
                              struct span *out_path)
{
    struct https_url url;

    TRY(https_url_read(doc_text(document, name), &url));
    ENSURE(https_url_same_place(&url, issuer), ERR_MALFORMED, "an endpoint on another host");
    *out_path = url.path.len != 0 ? url.path : span_lit("/");
    return ERR_OK;
}

/* How the client shows who it is: client_secret_basic where nothing is said. */
static bool wants_secret_in_form(const struct json_value *document)
{
    const struct json_value *methods = json_find(document, span_lit("token_endpoint_auth_methods_supported"));

    if (methods == NULL || methods->type != JSON_ARRAY) {
        return false;
    }
    for (size_t i = 0; i < methods->as.array.count; i++) {
        const struct json_value *method = &methods->as.array.items[i];
        if (method->type == JSON_STRING && span_equal(method->as.text, span_lit("client_secret_basic"))) {
            return false;
        }
    }
    return true;
}

static enum err read_document(struct fetch *fetch)
{
    const struct json_value *document = NULL;
    struct https_url issuer;

    TRY(json_parse(buf_all(fetch->answer), fetch->arena, &document));
    TRY(https_url_read(fetch->provider->issuer, &issuer));
    ENSURE(span_equal(doc_text(document, span_lit("issuer")), fetch->provider->issuer), ERR_MALFORMED,
           "the document of another issuer");
    TRY(read_endpoint(document, span_lit("token_endpoint"), &issuer, &fetch->token_path));
    TRY(read_endpoint(document, span_lit("jwks_uri"), &issuer, &fetch->keys_path));
    fetch->secret_in_form = wants_secret_in_form(document);
    return ERR_OK;
}

static enum err submit(struct fetch *fetch, struct span path, void (*done)(struct outbound_job *job))
{
    const struct outbound *outbound = &fetch->api->options.outbound;

    buf_reset(fetch->answer);
    fetch->job.done = done;
    fetch->job.loop = fetch->api->options.loop;
    TRY(oidc_destination(fetch->provider, &fetch->job.to));
    fetch->job.fetch = (struct outbound_fetch){.method = OUTBOUND_GET, .path = path, .answer = fetch->answer};
    return outbound->submit(outbound->context, &fetch->job);
}

static void on_document(struct outbound_job *job)
{
    struct fetch *fetch = (struct fetch *)job;

    enum err err = check_answered(fetch);
    err = err == ERR_OK ? read_document(fetch) : err;
    if (err == ERR_OK) {
        err = submit(fetch, fetch->keys_path, on_keys);
    }
    if (err != ERR_OK) {
        oidc_log_failure(fetch->provider, "discovery", job);
        finish(fetch, err);
    }
}

/* --- the beginning --- */

static void fetch_free_scoped(struct fetch **fetch)
{
    fetch_free(*fetch);
}

/* Section 4.1: a '/' at the end of the issuer is not doubled. */
static enum err discovery_path(struct fetch *fetch, struct span *out_path)
{
    const struct span name = span_lit(DISCOVERY);
    struct https_url url;
    void *memory = NULL;

    TRY(https_url_read(fetch->provider->issuer, &url));
    const size_t slash = url.path.len != 0 && url.path.data[url.path.len - 1] == '/' ? 1 : 0;
    const size_t len = url.path.len - slash;
    TRY(arena_alloc(fetch->arena, len + name.len, &memory));
    uint8_t *path = memory;
    if (len != 0) {
        memcpy(path, url.path.data, len);
    }
    memcpy(path + len, name.data, name.len);
    *out_path = span_of(path, len + name.len);
    return ERR_OK;
}

static enum err begin(struct api *api, struct issuer *issuer, const struct data_oidc *provider, struct oidc_wait *wait)
{
    void *memory = NULL;
    struct span path = SPAN_NONE;

    TRY(mem_alloc(sizeof(struct fetch), &memory));
    SCOPED(fetch_free_scoped) struct fetch *fetch = memory;
    *fetch = (struct fetch){.issuer = issuer, .api = api, .provider = provider};
    TRY(buf_new(OUTBOUND_ANSWER_MAX, &fetch->answer));
    TRY(arena_new(ARENA_KEEP, ARENA_BYTES, &fetch->arena));
    TRY(discovery_path(fetch, &path));
    TRY(submit(fetch, path, on_document));
    issuer->asked_at = loop_now(api->options.loop);
    issuer->fetch = TAKE(fetch);
    wait->next = NULL;
    issuer->waiting = wait;
    return ERR_AGAIN;
}

static enum err join(struct issuer *issuer, struct oidc_wait *wait)
{
    wait->next = issuer->waiting->next; /* the first stays the first: it lends the provider */
    issuer->waiting->next = wait;
    return ERR_AGAIN;
}

static enum err find(struct api *api, const struct data_oidc *provider, struct issuer **out_issuer)
{
    uint8_t id[SHA256_BYTES];
    struct oidc *oidc = table_of(api);

    ENSURE(oidc != NULL, ERR_NO_MEMORY, "the table of issuers");
    issuer_id(provider, id);
    struct issuer *issuer = take_entry(oidc, id);
    ENSURE(issuer != NULL, ERR_LIMIT, "as many issuers as may be asked at once");
    *out_issuer = issuer;
    return ERR_OK;
}

enum err oidc_look(struct api *api, const struct data_oidc *provider, struct oidc_wait *wait,
                   struct oidc_known *out_known)
{
    struct issuer *issuer = NULL;

    wait->newer = false;
    TRY(find(api, provider, &issuer));
    const uint64_t age = age_s(api, issuer->known_at);
    const bool just_asked = age_s(api, issuer->asked_at) < OIDC_AGAIN_S;
    if (issuer->known && (age < OIDC_FRESH_S || (age < OIDC_STALE_S && just_asked && issuer->fetch == NULL))) {
        fill(issuer, out_known);
        return ERR_OK;
    }
    return issuer->fetch != NULL ? join(issuer, wait) : begin(api, issuer, provider, wait);
}

static bool take_renewal(const struct api *api, struct issuer *issuer)
{
    const struct mono_time now = loop_now(api->options.loop);

    if (mono_ms_between(now, issuer->renewed_until) > (OIDC_RENEWALS - 1) * OIDC_RENEWAL_S * MS_PER_S) {
        return false;
    }
    if (issuer->renewed_until.ns < now.ns) {
        issuer->renewed_until = now;
    }
    issuer->renewed_until = mono_add_ms(issuer->renewed_until, OIDC_RENEWAL_S * MS_PER_S);
    return true;
}

enum err oidc_look_again(struct api *api, const struct data_oidc *provider, struct oidc_wait *wait)
{
    struct issuer *issuer = NULL;

    wait->newer = true;
    TRY(find(api, provider, &issuer));
    if (issuer->fetch != NULL) {
        return join(issuer, wait);
    }
    if (!take_renewal(api, issuer)) {
        return ERR_NOT_FOUND;
    }
    return begin(api, issuer, provider, wait);
}
