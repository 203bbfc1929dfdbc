/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counters in names. Spec: systemd, "Automatic Boot Assessment": name+left[-done].efi. */
#include "hal/bootslot.h"

#include <string.h>

#include "hal/base/fault.h"

#define PREFIX    "rowlock-"
#define SUFFIX    ".efi"
#define TRIES_MAX 999

static bool is_version(struct span text)
{
    static const char others[] = "._~-";

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && (c == '\0' || strchr(others, (int)c) == NULL)) {
            return false;
        }
    }
    return text.len != 0 && text.len <= BOOTSLOT_VERSION_MAX;
}

static enum err read_number(struct span text, uint32_t *out_number)
{
    uint64_t number = 0;

    ENSURE(text.len != 0 && span_to_u64(text, TRIES_MAX, &number) == ERR_OK, ERR_NOT_FOUND, "a counter that is none");
    *out_number = (uint32_t)number;
    return ERR_OK;
}

/* Behind the '+'. */
static enum err read_counters(struct span text, struct bootslot_entry *entry)
{
    const size_t dash = span_find(text, '-');

    entry->trial = true;
    TRY(read_number(span_of(text.data, dash), &entry->left));
    if (dash < text.len) {
        TRY(read_number(span_of(text.data + dash + 1, text.len - dash - 1), &entry->done));
    }
    return ERR_OK;
}

enum err bootslot_read_name(struct span name, struct bootslot_entry *out_entry)
{
    const size_t around = sizeof(PREFIX) - 1 + sizeof(SUFFIX) - 1;
    struct bootslot_entry entry = {.trial = false};

    ENSURE(name.len > around && span_starts_with(name, span_lit(PREFIX)) &&
               span_equal(span_of(name.data + name.len - (sizeof(SUFFIX) - 1), sizeof(SUFFIX) - 1), span_lit(SUFFIX)),
           ERR_NOT_FOUND, "not the name of an image");
    const struct span inner = span_of(name.data + sizeof(PREFIX) - 1, name.len - around);
    const size_t plus = span_find(inner, '+');
    const struct span version = span_of(inner.data, plus);
    ENSURE(is_version(version), ERR_NOT_FOUND, "not the name of an image");
    if (plus < inner.len) {
        TRY(read_counters(span_of(inner.data + plus + 1, inner.len - plus - 1), &entry));
    }
    memcpy(entry.version, version.data, version.len);
    entry.version[version.len] = '\0';
    *out_entry = entry;
    return ERR_OK;
}
