/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files lie in the verified root of a box, so what they say is as true as the program itself. They are read as if they were a
 * stranger's all the same. */
#include "firmware/worker/about.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"
#include "firmware/version.h"
#include "hal/base/config.h"
#include "hal/base/fault.h"
#include "hal/base/log.h"
#include "hal/base/mem.h"
#include "hal/board.h"
#include "hal/file.h"
#include "net/json.h"
#include "net/json_out.h"

#define SBOM_MAX   ((size_t)4 << 20)
#define PATH_BYTES 128
#define TREE_MAX   ((size_t)1 << 20)

/* --- reading --- */

static enum err read_one(const char *folder, const char *name, size_t max, struct buf **out_bytes)
{
    SCOPED_BUF struct buf *bytes = NULL;
    char path[PATH_BYTES];

    const int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    ENSURE(len > 0 && len < PATH_BYTES, ERR_RANGE, "a path that is too long");
    TRY(buf_new(max, &bytes));
    TRY(file_read(path, bytes));
    *out_bytes = TAKE(bytes);
    return ERR_OK;
}

enum err about_read(const char *folder, struct about *out_about)
{
    SCOPED_BUF struct buf *sbom = NULL;
    uint8_t digest[SHA256_BYTES];

    *out_about = (struct about){.image = NULL};
    if (folder == NULL) {
        return ERR_OK;
    }
    enum err err = read_one(folder, "version.json", ABOUT_TEXT_MAX, &out_about->image);
    err = err != ERR_OK ? err : read_one(folder, "sbom.json", SBOM_MAX, &sbom);
    if (err == ERR_OK) {
        sha256(buf_all(sbom), digest);
        hex_encode(span_array(digest), out_about->sbom);
        return ERR_OK;
    }
    about_done(out_about);
    TRY(err == ERR_NO_MEMORY ? err : ERR_OK);
    log_fault(LOG_WARN, "image_says_nothing");
    return ERR_OK;
}

void about_done(struct about *about)
{
    buf_free(about->image);
    *about = (struct about){.image = NULL};
}

/* version.json; NULL: there is none, or it is none. */
static const struct json_value *parse(const struct about *about, struct arena *arena)
{
    const struct json_value *from = NULL;

    if (about->image != NULL && json_parse(buf_all(about->image), arena, &from) != ERR_OK) {
        log_fault(LOG_WARN, "image_says_nothing");
        return NULL;
    }
    return from;
}

/* One that is no version, or could not be told whole, counts as missing. */
static struct span version_in(const struct json_value *from)
{
    const struct json_value *const value = json_find(from, span_lit("version"));
    const bool is_one = value != NULL && value->type == JSON_STRING && value->as.text.len != 0 &&
                        value->as.text.len <= ABOUT_VERSION_MAX;

    return is_one ? value->as.text : span_lit(ROWLOCK_VERSION);
}

/* --- writing --- */

static void put_text(struct json_out *out, const struct json_value *from, const char *name, const char *otherwise)
{
    const struct json_value *const value = json_find(from, span_str(name));

    if (value != NULL && value->type == JSON_STRING) {
        json_out_member_text(out, span_str(name), value->as.text);
    } else if (otherwise != NULL) {
        json_out_member_text(out, span_str(name), span_str(otherwise));
    } else {
        json_out_member_null(out, span_str(name));
    }
}

static void put_part(struct json_out *out, const char *name, const char *version)
{
    json_out_object(out);
    json_out_member_text(out, span_lit("name"), span_str(name));
    json_out_member_text(out, span_lit("version"), span_str(version));
    json_out_object_end(out);
}

/* Of a program on a host: the libraries that the program itself asks for their version. The others are the host's packages. */
static enum err put_linked_parts(struct json_out *out)
{
    struct crypto_dispatch chosen = {.wolfcrypt = NULL};

    TRY(crypto_dispatch(&chosen));
    json_out_array(out);
    put_part(out, "wolfssl", chosen.wolfcrypt);
    put_part(out, "libsodium", chosen.sodium);
    json_out_array_end(out);
    return ERR_OK;
}

static enum err put_all(const struct about *about, const struct json_value *from, struct json_out *out)
{
    const struct json_value *const security = json_find(from, span_lit("securityVersion"));
    const struct json_value *const parts = json_find(from, span_lit("parts"));

    json_out_object(out);
    put_text(out, from, "product", "rowlock");
    json_out_member_text(out, span_lit("version"), version_in(from));
    put_text(out, from, "board", board_desc.name);
    put_text(out, from, "flavour", NULL);
    json_out_member_int(out, span_lit("securityVersion"),
                        security != NULL && security->type == JSON_INT ? security->as.integer
                                                                       : CONFIG_FIRMWARE_SECURITY_VERSION);
    put_text(out, from, "kernel", NULL);
    put_text(out, from, "sourceDate", NULL);
    put_text(out, from, "commit", NULL);
    json_out_name(out, span_lit("parts"));
    if (parts != NULL) {
        json_out_value(out, parts);
    } else {
        TRY(put_linked_parts(out));
    }
    if (about->sbom[0] != '\0') {
        json_out_member_text(out, span_lit("sbomSha256"), span_str(about->sbom));
    } else {
        json_out_member_null(out, span_lit("sbomSha256"));
    }
    json_out_object_end(out);
    return json_out_finish(out);
}

enum err about_write(const struct about *about, struct buf *buf)
{
    SCOPED_ARENA struct arena *arena = NULL;
    struct json_out out;

    TRY(arena_new(0, TREE_MAX, &arena));
    json_out_init(&out, buf);
    return put_all(about, parse(about, arena), &out);
}

enum err about_version(const struct about *about, char out_version[ABOUT_VERSION_MAX + 1])
{
    SCOPED_ARENA struct arena *arena = NULL;

    TRY(arena_new(0, TREE_MAX, &arena));
    const struct span version = version_in(parse(about, arena));
    memcpy(out_version, version.data, version.len);
    out_version[version.len] = '\0';
    return ERR_OK;
}
