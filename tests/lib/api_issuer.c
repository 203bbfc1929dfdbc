/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/api_issuer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/auth/base64url.h"
#include "hal/base/fault.h"

#define TOKEN_BYTES 8192

static char *encode(struct span bytes, char *out)
{
    base64url_encode(bytes, out);
    out[BASE64URL_CHARS(bytes.len)] = 0;
    return out + BASE64URL_CHARS(bytes.len);
}

void api_issuer_new_key(struct api_issuer *issuer, const char *kid)
{
    struct secret *secret = NULL;

    signer_free(issuer->signer);
    assert_int_equal(sign_key_new(issuer->box->random, &secret), ERR_OK);
    assert_int_equal(signer_new(secret, issuer->box->random, &issuer->signer), ERR_OK);
    secret_free(secret);
    issuer->kid = kid;
}

const char *api_issuer_token(struct api_issuer *issuer, const char *claims)
{
    static char token[TOKEN_BYTES];
    const long long now = (long long)(hal_clock_wall(&issuer->box->clock.base).ms / 1000);
    uint8_t signature[SIGN_RAW_BYTES];
    uint8_t digest[SHA256_BYTES];
    char text[2048];

    (void)snprintf(text, sizeof text, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", issuer->kid);
    char *at = encode(span_str(text), token);
    *at++ = '.';
    (void)snprintf(text, sizeof text, "{\"iss\":\"%s\",\"aud\":\"box\",\"iat\":%lld,\"exp\":%lld,%s}", ISSUER_URL, now,
                   now + 300, claims);
    at = encode(span_str(text), at);
    sha256(span_str(token), digest);
    assert_int_equal(signer_sign_raw(issuer->signer, span_array(digest), signature), ERR_OK);
    *at++ = '.';
    (void)encode(span_array(signature), at);
    return token;
}

static void write_document(const struct api_issuer *issuer, char *out, size_t size)
{
    (void)snprintf(out, size, "{\"issuer\":\"%s\",\"token_endpoint\":\"%s\",\"jwks_uri\":\"%s\"%s%s}", issuer->says,
                   issuer->token_endpoint, issuer->jwks_uri,
                   issuer->methods == NULL ? "" : ",\"token_endpoint_auth_methods_supported\":",
                   issuer->methods == NULL ? "" : issuer->methods);
}

static void write_keys(const struct api_issuer *issuer, char *out, size_t size)
{
    uint8_t point[SIGN_PUBLIC_BYTES];
    char x[64];
    char y[64];

    signer_public(issuer->signer, point);
    (void)encode(span_of(point + 1, 32), x);
    (void)encode(span_of(point + 33, 32), y);
    (void)snprintf(out, size,
                   "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}]}",
                   issuer->kid, x, y);
}

static void keep(struct span text, char *out)
{
    if (text.len != 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = 0;
}

static void run_done(struct loop_post *post)
{
    void *place = (char *)post - offsetof(struct outbound_job, post);
    struct outbound_job *job = place;

    job->done(job);
}

static void answer(struct api_issuer *issuer, struct outbound_job *job)
{
    static char text[TOKEN_BYTES + 64];

    job->status = issuer->status;
    if (job->fetch.method == OUTBOUND_POST) {
        issuer->exchanges++;
        keep(job->fetch.body, issuer->form);
        keep(job->fetch.authorization, issuer->authorization);
        job->status = issuer->token_status;
        (void)snprintf(text, sizeof text, "{\"access_token\":\"opaque\",\"token_type\":\"Bearer\",\"id_token\":\"%s\"}",
                       api_issuer_token(issuer, issuer->claims));
        if (issuer->token_body != NULL) {
            (void)snprintf(text, sizeof text, "%s", issuer->token_body);
        }
    } else if (strstr(issuer->path, "/.well-known/openid-configuration") != NULL) {
        issuer->documents++;
        write_document(issuer, text, sizeof text);
    } else {
        issuer->keys++;
        write_keys(issuer, text, sizeof text);
    }
    if (buf_put(job->fetch.answer, span_str(text)) != ERR_OK) { /* where a test refuses memory */
        fault_clear();
        job->result = OUTBOUND_TEMPORARY;
    }
}

static enum err submit(void *context, struct outbound_job *job)
{
    struct api_issuer *issuer = context;

    if (issuer->refuses != ERR_OK) {
        return issuer->refuses;
    }
    assert_true(outbound_destination_fits(&job->to));
    keep(job->to.host, issuer->host);
    keep(job->fetch.path, issuer->path);
    issuer->port = job->to.port;
    job->result = issuer->result;
    job->stage = issuer->result == OUTBOUND_DONE ? OUTBOUND_AT_END : issuer->stage;
    if (issuer->result == OUTBOUND_DONE) {
        answer(issuer, job);
    }
    job->post = (struct loop_post){.run = run_done};
    if (issuer->holds) {
        assert_null(issuer->held);
        issuer->held = job;
        return ERR_OK;
    }
    return loop_post(job->loop, &job->post);
}

void api_issuer_release(struct api_issuer *issuer)
{
    struct outbound_job *job = issuer->held;

    assert_non_null(job);
    issuer->holds = false;
    issuer->held = NULL;
    assert_int_equal(loop_post(job->loop, &job->post), ERR_OK);
}

struct api_issuer *api_issuer_new(struct api_box *box)
{
    struct api_issuer *issuer = calloc(1, sizeof *issuer);

    assert_non_null(issuer);
    issuer->box = box;
    issuer->says = ISSUER_URL;
    issuer->token_endpoint = ISSUER_URL "/token";
    issuer->jwks_uri = ISSUER_URL "/keys";
    issuer->result = OUTBOUND_DONE;
    issuer->stage = OUTBOUND_AT_CONNECT;
    issuer->status = 200;
    issuer->token_status = 200;
    api_issuer_new_key(issuer, "k1");
    box->outbound = (struct outbound){.submit = submit, .context = issuer};
    api_box_restart(box);
    return issuer;
}

void api_issuer_free(struct api_issuer *issuer)
{
    signer_free(issuer->signer);
    free(issuer);
}

void api_issuer_configure(struct api_box *box, const char *name, const char *members)
{
    char target[128];
    char body[512];

    (void)snprintf(target, sizeof target, ISSUER_AT "%s", name);
    (void)snprintf(body, sizeof body,
                   "{\"issuer\":\"" ISSUER_URL "\",\"clientId\":\"box\",\"clientSecret\":\"s3:c r\"%s}", members);
    assert_int_equal(api_box_send(box, "PUT", box->secret, target, body)->status, 200);
}

struct api_issuer *api_issuer_of(const struct api_box *box)
{
    return box->outbound.context;
}

int api_issuer_set_up(void **state)
{
    struct api_box *box = api_box_new();

    api_issuer_new(box)->claims = GRACE;
    api_issuer_configure(box, "corp", ",\"redirectUri\":\"https://app.example/cb\"");
    *state = box;
    return 0;
}

int api_issuer_tear_down(void **state)
{
    struct api_box *box = *state;
    struct api_issuer *issuer = api_issuer_of(box);

    api_box_free(box);
    api_issuer_free(issuer);
    return 0;
}

const char *api_issuer_body(const char *token, const char *members)
{
    static char body[TOKEN_BYTES + 512];

    (void)snprintf(body, sizeof body, "{\"idToken\":\"%s\"%s}", token, members);
    return body;
}
