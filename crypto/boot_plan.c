/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "crypto/boot_plan.h"

#include "hal/base/fault.h"

enum err boot_plan_read(struct span file, const uint8_t vendor_key[SIGN_PUBLIC_BYTES], struct boot_plan *out_plan)
{
    struct boot_plan plan = {.serial = 0};
    struct vendor_text text;

    TRY(vendor_text_begin(file, BOOT_PLAN_MAX, span_lit("rowlock-secure-boot-plan 1"), &text));
    TRY(vendor_text_get_board(&text, plan.board));
    TRY(vendor_text_get_number(&text, span_lit("serial "), BOOT_PLAN_SERIAL_MAX, &plan.serial));
    TRY(vendor_text_get_security(&text, &plan.security));
    TRY(vendor_text_get_pcr(&text, span_lit("pcr7 "), plan.pcr7));
    TRY(vendor_text_end(&text, vendor_key));
    *out_plan = plan;
    return ERR_OK;
}
