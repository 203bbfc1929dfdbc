/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ids as bytes and as text. Comparison is on public values, so it may end early. */
#include "storage/id.h"

#include <string.h>

int row_id_compare(struct row_id a, struct row_id b)
{
    return memcmp(a.bytes, b.bytes, ROW_ID_BYTES);
}

void row_id_format(struct row_id id, char out_text[ROW_ID_TEXT_BYTES])
{
    hex_encode(span_array(id.bytes), out_text);
}

enum err row_id_parse(struct span text, struct row_id *out_id)
{
    struct row_id id = {{0}};

    if (text.len != ROW_ID_TEXT_BYTES) {
        return ERR_MALFORMED; /* no trail: it is a name that names nothing, not a fault */
    }
    for (size_t at = 0; at < text.len; at++) {
        if (text.data[at] >= 'A' && text.data[at] <= 'F') {
            return ERR_MALFORMED;
        }
    }
    if (hex_decode(text, id.bytes, ROW_ID_BYTES) != ERR_OK) {
        return ERR_MALFORMED;
    }
    *out_id = id;
    return ERR_OK;
}
