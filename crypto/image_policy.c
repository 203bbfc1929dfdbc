/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/image_policy.h"

#include <stdbool.h>

#include "hal/base/fault.h"
#include "crypto/vendor_text.h"

static bool is_of_version(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '+' || c == '~';
}

static enum err get_pcrs(struct vendor_text *text, struct image_policy *out_policy)
{
    while (vendor_text_is_next(text, span_lit("pcr11 "))) {
        ENSURE(out_policy->pcr11_count < IMAGE_POLICY_PCRS_MAX, ERR_MALFORMED, "too many PCR values in a policy");
        TRY(vendor_text_get_pcr(text, span_lit("pcr11 "), out_policy->pcr11[out_policy->pcr11_count]));
        out_policy->pcr11_count++;
    }
    ENSURE(out_policy->pcr11_count >= 1, ERR_MALFORMED, "a policy without a PCR value");
    return ERR_OK;
}

enum err image_policy_read(struct span file, const uint8_t vendor_key[SIGN_PUBLIC_BYTES], struct image_policy *out_policy)
{
    struct image_policy policy = {.security = 0};
    struct vendor_text text;

    TRY(vendor_text_begin(file, IMAGE_POLICY_MAX, span_lit("rowlock-policy 1"), &text));
    TRY(vendor_text_get_board(&text, policy.board));
    TRY(vendor_text_get(&text, span_lit("version "), is_of_version, IMAGE_POLICY_VERSION_MAX, policy.version));
    TRY(vendor_text_get_security(&text, &policy.security));
    TRY(get_pcrs(&text, &policy));
    TRY(vendor_text_end(&text, vendor_key));
    *out_policy = policy;
    return ERR_OK;
}
