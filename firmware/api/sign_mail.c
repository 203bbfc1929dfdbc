/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Codes and the links that bring them back. Never is a link made of what the request says of its own address: whoever
 * sends another Host could have somebody's code carried to a machine of theirs. It leads to
 *   confirmations    this box, which confirms and goes on to callbackUrl
 *   resets, sign-in  callbackUrl; or the first of the project's origins; or this box, where no page waits for it
 * Spec: contract 5.3, 5.5, 5.6. */
#include "firmware/api/sign_int.h"

#include "firmware/mail/link.h"
#include "hal/base/buf.h"
#include "hal/base/fault.h"

struct kind {
    enum data_code_purpose purpose;
    bool by_code_alone; /* the address does not come back with it */
    const char *path;
};

static const struct kind kinds[] = {
    [MAIL_SIGNUP_CONFIRMATION] = {DATA_CODE_VERIFY, false, "/v1/auth/signup/email/confirm"},
    [MAIL_PASSWORD_RESET] = {DATA_CODE_RESET, false, "/reset-password"},
    [MAIL_MAGIC_LINK] = {DATA_CODE_MAGIC, true, "/magic-link"},
    [MAIL_EMAIL_VERIFICATION] = {DATA_CODE_VERIFY, false, "/v1/auth/signup/email/confirm"},
    [MAIL_INVITATION] = {DATA_CODE_INVITE, true, "/invitation"},
};
_Static_assert(ARRAY_LENGTH(kinds) == MAIL_CATEGORIES, "each mail has a link");

enum err sign_read_callback(struct sign *sign)
{
    struct api_request *request = sign->request;
    struct span url = SPAN_NONE;

    TRY(sign_read_maybe(request, span_lit("callbackUrl"), &url));
    sign->callback = cors_redirects(request->project, url) ? url : SPAN_NONE;
    return ERR_OK;
}

/* Where the link leads, without its query. */
static enum err put_place(const struct sign *sign, const struct kind *kind, struct buf *url)
{
    const struct catalog_project *project = sign->request->project;
    const struct span box = sign->request->api->options.url;
    const bool has_origin = kind->purpose != DATA_CODE_VERIFY && project != NULL && project->origin_count > 0;

    if (kind->purpose != DATA_CODE_VERIFY && sign->callback.len != 0) {
        return buf_put(url, sign->callback);
    }
    TRY(buf_put(url, has_origin ? project->origins[0] : box));
    return buf_put(url, span_str(kind->path));
}

static enum err make_link(struct sign *sign, const struct kind *kind, struct span *out_link)
{
    const struct mail_parameter parameters[] = {
        {span_lit("token"), span_array(sign->code)},
        {span_lit("email"), kind->by_code_alone ? SPAN_NONE : sign->data.email},
        {span_lit("callbackUrl"), kind->purpose == DATA_CODE_VERIFY ? sign->callback : SPAN_NONE},
    };
    SCOPED_BUF struct buf *place = NULL;
    SCOPED_BUF struct buf *link = NULL;

    TRY(buf_new(MAIL_VALUE_MAX, &place));
    TRY(buf_new(2 * MAIL_VALUE_MAX, &link));
    TRY(put_place(sign, kind, place));
    TRY(mail_link_put(link, buf_all(place), parameters, ARRAY_LENGTH(parameters)));
    return arena_copy(sign->request->exchange->arena, buf_all(link), out_link);
}

enum err sign_make_mail(struct sign *sign, enum mail_category category)
{
    const struct kind *kind = &kinds[category];
    const struct data_code_of of = {.purpose = kind->purpose,
                                    .environment_id = sign_environment(sign),
                                    .email = kind->by_code_alone ? SPAN_NONE : sign->data.email,
                                    .code = span_array(sign->code)};

    data_code_make(sign->request->api->random, sign->code);
    data_code_digest(&of, sign->data.mail.digest);
    sign->data.mail.category = category;
    sign->data.mail.code = span_array(sign->code);
    return make_link(sign, kind, &sign->data.mail.link);
}
