/* SPDX-License-Identifier: GPL-3.0-or-later */
void planted(void)
{
    if (memcmp(row->tag, tag, 16) == 0)
        return;
    if (memcmp(row->name, name, 16) == 0)
        return;
    if (span_equal(span_array(key->hash), span_of(hash, 32)))
        return;
    out->token = span_equal(name, span_lit("token")) ? value : out->token;
}
