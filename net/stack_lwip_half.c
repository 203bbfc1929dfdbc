/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections that were begun and not answered yet, in the order in which they came. When there is no place for another the
 * oldest one goes, without a word: a flood of forged addresses takes places for as long as CONFIG_NET_LWIP_HALF_OPEN of
 * them need to come, and who answers sooner gets through. lwIP tells of the beginning and the end of each by the extra
 * argument of its control block. */
#include "net/stack_lwip_int.h"

#include <lwip/priv/tcp_priv.h>

#include "hal/base/fault.h"

#define ARGUMENT 0 /* the only one, see LWIP_TCP_PCB_NUM_EXT_ARGS */

static err_t on_begin(u8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb);
static void on_end(u8_t id, void *argument);

static const struct tcp_ext_arg_callbacks callbacks = {.destroy = on_end, .passive_open = on_begin};

static void unlink_place(struct half_list *half, struct half_open *place)
{
    if (place->newer != NULL) {
        place->newer->older = place->older;
    } else {
        half->newest = place->older;
    }
    if (place->older != NULL) {
        place->older->newer = place->newer;
    } else {
        half->oldest = place->newer;
    }
    *place = (struct half_open){.older = half->unused};
    half->unused = place;
}

static void link_place(struct half_list *half, struct half_open *place, struct tcp_pcb *pcb)
{
    half->unused = place->older;
    *place = (struct half_open){.pcb = pcb, .older = half->newest};
    if (place->older != NULL) {
        place->older->newer = place;
    } else {
        half->oldest = place;
    }
    half->newest = place;
}

/* The control block is being freed. */
static void on_end(u8_t id, void *argument)
{
    struct half_open *const place = argument;
    (void)id;

    if (place != NULL) {
        unlink_place(&stack_lwip_the()->half, place);
    }
}

static err_t on_begin(u8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb)
{
    struct stack_lwip *const lwip = stack_lwip_the();
    struct half_list *const half = &lwip->half;
    (void)listening;

    if (half->unused == NULL) {
        lwip->counts.forgotten++;
        tcp_abandon(half->oldest->pcb, 0); /* on_end gives its place back */
    }
    struct half_open *const place = half->unused;
    INVARIANT(place != NULL);
    link_place(half, place, pcb);
    tcp_ext_arg_set_callbacks(pcb, id, &callbacks);
    tcp_ext_arg_set(pcb, id, place);
    lwip->counts.half_open++;
    return LWIP_OK;
}

void stack_lwip_half_init(struct half_list *half)
{
    for (size_t i = 0; i < CONFIG_NET_LWIP_HALF_OPEN; i++) {
        half->places[i].older = half->unused;
        half->unused = &half->places[i];
    }
}

void stack_lwip_half_watch(struct tcp_pcb *listening)
{
    tcp_ext_arg_set_callbacks(listening, ARGUMENT, &callbacks);
}

void stack_lwip_half_done(struct tcp_pcb *pcb)
{
    struct half_open *const place = tcp_ext_arg_get(pcb, ARGUMENT);

    if (place != NULL) {
        tcp_ext_arg_set(pcb, ARGUMENT, NULL);
        unlink_place(&stack_lwip_the()->half, place);
    }
}
