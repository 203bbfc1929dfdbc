/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The latest date that this box has had, sealed, so that a clock that is set back while it is off brings nothing back that
 * was over. Whoever can write to the disk can put an older file of this box there, or none; that costs them a second visit,
 * and is all that it costs: the file is against clocks, not against thieves.
 *
 * The way back, for whoever has the recovery key of a locked box: the keys of all tokens are made anew, and when that is on the
 * disk, the clock's date replaces the kept one. Cut off in between, nothing has come back, and it can be done again. */
#include "firmware/keeper/vault.h"

#include "firmware/keeper/vault_int.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"

#define DATE_BYTES 8
#define SEALED_MAX 128

static struct keyring_subject subject(void)
{
    return (struct keyring_subject){span_lit("date"), SPAN_NONE};
}

static enum err write_date(struct vault *vault, struct wall_time date)
{
    SCOPED_SECRET struct secret *plain = NULL;
    SCOPED_BUF struct buf *sealed = NULL;
    const struct keyring_subject about = subject();

    ENSURE(date.ms >= 0 && date.ms <= TIME_WALL_MS_MAX, ERR_RANGE, "a date that is none");
    TRY(secret_new(DATE_BYTES, &plain));
    put_u64be(secret_fill(plain), (uint64_t)date.ms);
    TRY(buf_new(SEALED_MAX, &sealed));
    TRY(keyring_wrap(vault->ring, KEYRING_CONFIG, &about, plain, sealed));
    return datadir_write(vault->dir, FILE_DATE, buf_all(sealed));
}

enum err vault_date_keep(struct vault *vault, struct wall_time date)
{
    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(write_date(vault, date));
    return ERR_OK;
}

enum err vault_date_back(struct vault *vault)
{
    const struct wall_time now = hal_clock_wall(vault->clock);
    char to[TIME_ISO_BYTES];

    TRY(vault_tokens_renew(vault));
    TRY(write_date(vault, now));
    time_format_iso(now, to);
    LOG(LOG_WARN, "date_set_back", LOG_TEXT("to", span_array(to)));
    return ERR_OK;
}

enum err vault_date(struct vault *vault, struct wall_time *out_date)
{
    SCOPED_SECRET struct secret *plain = NULL;
    SCOPED_BUF struct buf *sealed = NULL;
    const struct keyring_subject about = subject();

    ENSURE(vault->state == BOARD_OPERATIONAL && vault->ring != NULL, ERR_STATE, "not operational");
    TRY(vault_file_read(vault, FILE_DATE, SEALED_MAX, &sealed));
    TRY(keyring_unwrap(vault->ring, KEYRING_CONFIG, &about, buf_all(sealed), &plain));
    ENSURE(secret_len(plain) == DATE_BYTES, ERR_DAMAGED, "a date of another length");
    const uint64_t ms = get_u64be(secret_reveal(plain).data);
    ENSURE(ms <= (uint64_t)TIME_WALL_MS_MAX, ERR_DAMAGED, "a date that is none");
    *out_date = (struct wall_time){(int64_t)ms};
    return ERR_OK;
}
