/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/lib/measured_box.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/approval.h"
#include "crypto/box_seal.h"
#include "crypto/hash.h"
#include "crypto/tpm_crypto.h"
#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/mem.h"

#define MARK_IMAGE 0x11
#define MARK_SECURE_BOOT 0x77
#define SECURITY_OF_PLANS 9 /* above the minimum of every test */

int measured_box_make(void **state)
{
    void *memory = NULL;

    (void)signal(SIGPIPE, SIG_IGN);
    fault_clear();
    assert_int_equal(mem_alloc(sizeof(struct measured_box), &memory), ERR_OK);
    struct measured_box *const box = memory;
    box->temp = temp_dir_make();
    assert_int_equal(datadir_open(box->temp.path, &box->dir), ERR_OK);
    box->swtpm = swtpm_new();
    vendor_init(&box->vendor);
    assert_int_equal(x509_names_add_dns(&box->names, span_lit("localhost")), ERR_OK);
    *state = box;
    return 0;
}

void measured_forget(struct measured_box *box)
{
    vault_free(box->vault);
    box->vault = NULL;
    measured_free(box->measured);
    box->measured = NULL;
    hal_tpm_close(box->tpm);
    box->tpm = NULL;
}

int measured_box_free(void **state)
{
    struct measured_box *const box = *state;

    measured_forget(box);
    swtpm_free(box->swtpm);
    datadir_close(box->dir);
    temp_dir_remove(&box->temp);
    vendor_done(&box->vendor);
    fault_clear();
    mem_free(box);
    return 0;
}

/* H(0 | digest), the digest being a number and a mark. */
static void value_of(uint8_t number, uint8_t mark, uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    uint8_t text[2 * HAL_TPM_DIGEST_BYTES] = {0};

    text[HAL_TPM_DIGEST_BYTES] = number;
    text[HAL_TPM_DIGEST_BYTES + 1] = mark;
    sha256(span_array(text), out_value);
}

void measured_pcr11(struct image image, uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    value_of(image.number, MARK_IMAGE, out_value);
}

void measured_pcr7(uint8_t secure_boot, uint8_t out_value[HAL_TPM_DIGEST_BYTES])
{
    value_of(secure_boot, MARK_SECURE_BOOT, out_value);
}

struct signed_policy measured_policy(struct measured_box *box, struct image image)
{
    uint8_t value[HAL_TPM_DIGEST_BYTES];

    measured_pcr11(image, value);
    return vendor_policy(&box->vendor, MEASURED_BOARD, image.security, value);
}

enum err measured_bring_plan(struct measured_box *box, uint8_t secure_boot, unsigned int serial)
{
    uint8_t value[HAL_TPM_DIGEST_BYTES];
    struct boot_plan read;

    measured_pcr7(secure_boot, value);
    const struct signed_policy plan = vendor_plan(&box->vendor, (struct planned){MEASURED_BOARD, serial, SECURITY_OF_PLANS}, value);
    TRY(measured_read_plan(box->measured, policy_span(&plan), &read));
    TRY(vault_plan_take(box->vault, read.serial));
    return measured_plan(box->measured, policy_span(&plan));
}

void measured_power(struct measured_box *box, struct image image)
{
    uint8_t digest[HAL_TPM_DIGEST_BYTES] = {image.number, MARK_IMAGE};
    const uint8_t boot[HAL_TPM_DIGEST_BYTES] = {box->secure_boot, MARK_SECURE_BOOT};

    swtpm_cut_power(box->swtpm); /* before the TPM can be shut down in order */
    measured_forget(box);
    swtpm_power_on(box->swtpm);
    assert_int_equal(hal_tpm_open(swtpm_tcti(box->swtpm), &tpm_crypto, &box->tpm), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(box->tpm, BOX_SEAL_PCR, boot), ERR_OK);
    assert_int_equal(hal_tpm_pcr_extend(box->tpm, APPROVAL_PCR, digest), ERR_OK);
}

enum err measured_start(struct measured_box *box, struct image image, struct span pin)
{
    const struct signed_policy policy = measured_policy(box, image);
    const struct measured_options measured = {
        .tpm = box->tpm,
        .dir = box->dir,
        .vendor_key = box->vendor.key,
        .board = MEASURED_BOARD,
        .policy = image.unsigned_ ? SPAN_NONE : policy_span(&policy),
    };

    assert_int_equal(measured_new(&measured, &box->measured), ERR_OK);
    const struct vault_options options = {
        .tpm = box->tpm,
        .entropy = hal_entropy_kernel(),
        .clock = hal_clock_system(),
        .dir = box->dir,
        .measured = box->measured,
        .names = &box->names,
    };
    assert_int_equal(vault_new(&options, &box->vault), ERR_OK);
    return vault_start(box->vault, pin);
}

enum err measured_boot(struct measured_box *box, struct image image)
{
    measured_power(box, image);
    return measured_start(box, image, SPAN_NONE);
}

enum err measured_boot_pin(struct measured_box *box, struct image image, const char *pin)
{
    measured_power(box, image);
    return measured_start(box, image, span_str(pin));
}

void measured_provision(struct measured_box *box, struct image image, const char *pin)
{
    assert_int_equal(measured_boot_pin(box, image, pin), ERR_OK);
    const struct secret *const words = vault_recovery_words(box->vault);
    assert_non_null(words);
    box->words_len = secret_len(words);
    memcpy(box->words, secret_reveal(words).data, box->words_len);
    assert_int_equal(vault_shown(box->vault), ERR_OK);
}

enum err measured_recover(struct measured_box *box)
{
    return vault_unlock_recovery(box->vault, span_of(box->words, box->words_len));
}

void assert_open(const struct measured_box *box)
{
    assert_int_equal(vault_state(box->vault), BOARD_OPERATIONAL);
    assert_int_equal(vault_reason(box->vault), LIFE_REASON_NONE);
}

void assert_locked(const struct measured_box *box, enum life_reason reason)
{
    assert_int_equal(vault_state(box->vault), BOARD_LOCKED);
    assert_string_equal(life_reason_name(vault_reason(box->vault)), life_reason_name(reason));
}

void measured_steal(struct measured_box *box, struct measured_thief *out_thief)
{
    const struct secret *auth = NULL;

    assert_int_equal(keyring_get(box->vault->ring, KEYRING_OWNER_AUTH, KEYRING_NEWEST, &auth), ERR_OK);
    memcpy(out_thief->owner_auth, secret_reveal(auth).data, sizeof(out_thief->owner_auth));
    measured_forget(box);
    out_thief->forger = (struct nv_forger){.path = swtpm_path(box->swtpm), .owner_auth = span_array(out_thief->owner_auth)};
}
