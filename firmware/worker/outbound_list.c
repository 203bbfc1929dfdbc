/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "firmware/worker/outbound_list.h"

#include "hal/base/fault.h"
#include "hal/base/num.h"

size_t outbound_list_find(const struct outbound_list *list, const struct outbound_destination *to)
{
    size_t at = 0;

    while (at < list->count && !outbound_destination_equal(&list->items[at].to, to)) {
        at++;
    }
    return at;
}

static enum err fill(struct outbound_entry *entry, const struct outbound_destination *to)
{
    struct buf *ca = NULL;

    TRY(buf_new(OUTBOUND_CA_MAX, &ca));
    enum err err = buf_put(ca, to->ca);
    err = err == ERR_OK ? MSG_SET(&entry->host, to->host) : err;
    if (err != ERR_OK) {
        buf_free(ca);
        TRY(err);
    }
    buf_free(entry->ca);
    entry->ca = ca;
    entry->to = *to;
    entry->to.host = MSG_VIEW(&entry->host);
    entry->to.ca = buf_all(ca);
    return ERR_OK;
}

static size_t longest_unused(const struct outbound_list *list)
{
    size_t at = 0;

    for (size_t i = 1; i < list->count; i++) {
        at = list->items[i].used.ns < list->items[at].used.ns ? i : at;
    }
    return at;
}

enum err outbound_list_want(struct outbound_list *list, const struct outbound_destination *to, struct mono_time now)
{
    size_t at = outbound_list_find(list, to);

    if (at < list->count) {
        list->items[at].used = now;
        return ERR_OK;
    }
    if (at == OUTBOUND_DESTINATIONS_MAX) {
        at = longest_unused(list);
        ENSURE(list->items[at].used.ns < now.ns, ERR_LIMIT, "more destinations at once than there may be");
    }
    TRY(fill(&list->items[at], to));
    list->items[at].id = ++list->last_id;
    list->items[at].paused_until = (struct mono_time){0};
    list->items[at].used = now;
    list->count = num_max(list->count, at + 1);
    list->changed = true;
    return ERR_OK;
}

const struct outbound_entry *outbound_list_pause(struct outbound_list *list, uint64_t id, enum outbound_stage stage,
                                                 struct mono_time now, uint64_t pause_ms)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].id == id && now.ns >= list->items[i].paused_until.ns) {
            list->items[i].paused_until = mono_add_ms(now, pause_ms);
            list->items[i].failed_stage = stage;
            return &list->items[i];
        }
    }
    return NULL;
}

bool outbound_list_is_paused(const struct outbound_list *list, const struct outbound_destination *to,
                             struct mono_time now, enum outbound_stage *out_stage)
{
    const size_t at = outbound_list_find(list, to);

    if (at == list->count || now.ns >= list->items[at].paused_until.ns) {
        return false;
    }
    *out_stage = list->items[at].failed_stage;
    return true;
}

static enum err tell_ca(struct msg_channel *control, struct span ca, struct msg *scratch)
{
    struct span rest = ca;

    while (rest.len != 0) {
        const size_t part = num_min(rest.len, MSG_PART_MAX);
        *scratch = MSG_NEW(MSG_WORKER_DESTINATION_CA);
        TRY(MSG_SET(&scratch->as.part, span_of(rest.data, part)));
        TRY(msg_send(control, scratch));
        rest = span_of(rest.data + part, rest.len - part);
    }
    return ERR_OK;
}

static enum err tell_one(const struct outbound_list *list, size_t index, uint32_t number, struct msg_channel *control,
                         struct msg *scratch)
{
    const struct outbound_entry *const entry = &list->items[index];

    *scratch = MSG_NEW(MSG_WORKER_DESTINATION);
    scratch->as.destination.list = number;
    scratch->as.destination.index = (uint32_t)index;
    scratch->as.destination.count = (uint32_t)list->count;
    if (list->count != 0) {
        scratch->as.destination.kind = (uint32_t)entry->to.kind;
        scratch->as.destination.tls = (uint32_t)entry->to.tls;
        scratch->as.destination.port = entry->to.port;
        scratch->as.destination.ca_bytes = (uint32_t)entry->to.ca.len;
        scratch->as.destination.host = entry->host;
    }
    TRY(msg_send(control, scratch));
    return list->count != 0 ? tell_ca(control, entry->to.ca, scratch) : ERR_OK;
}

enum err outbound_list_tell(struct outbound_list *list, struct msg_channel *control, struct msg *scratch)
{
    const uint32_t number = list->number == UINT32_MAX ? 1 : list->number + 1;

    for (size_t i = 0; i < num_max(list->count, 1); i++) { /* the empty list is one message, too */
        TRY(tell_one(list, i, number, control, scratch));
    }
    list->number = number;
    list->changed = false;
    return ERR_OK;
}

/* The last one takes its place; its views move with what they look at. */
static void remove_at(struct outbound_list *list, size_t at)
{
    struct outbound_entry *const last = &list->items[list->count - 1];

    buf_free(list->items[at].ca);
    list->items[at] = *last;
    list->items[at].to.host = MSG_VIEW(&list->items[at].host);
    *last = (struct outbound_entry){.ca = NULL};
    list->count--;
    list->changed = true;
}

static uint64_t idle_of(const struct outbound_entry *entry, uint64_t idle_ms)
{
    return entry->to.kind == OUTBOUND_TIME ? num_max(idle_ms, OUTBOUND_LIST_TIME_IDLE_MS) : idle_ms;
}

void outbound_list_age(struct outbound_list *list, uint64_t idle_ms, struct mono_time now)
{
    for (size_t i = list->count; i > 0; i--) {
        if (mono_ms_between(list->items[i - 1].used, now) >= idle_of(&list->items[i - 1], idle_ms)) {
            remove_at(list, i - 1);
        }
    }
}

uint64_t outbound_list_wait_ms(const struct outbound_list *list, uint64_t idle_ms, struct mono_time now)
{
    uint64_t wait = UINT64_MAX;

    for (size_t i = 0; i < list->count; i++) {
        wait = num_min(wait, mono_ms_between(now, mono_add_ms(list->items[i].used, idle_of(&list->items[i], idle_ms))));
    }
    return wait;
}

void outbound_list_clear(struct outbound_list *list)
{
    while (list->count != 0) {
        remove_at(list, list->count - 1);
    }
}
