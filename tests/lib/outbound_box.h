/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firmware/worker/outbound.h between a supervisor and couriers that the test plays, on a clock that the test turns. */
#ifndef TESTS_LIB_OUTBOUND_BOX_H
#define TESTS_LIB_OUTBOUND_BOX_H

#include "firmware/worker/outbound.h"
#include "hal/sim/sim_clock.h"

struct outbound_asked {
    struct outbound_job job; /* first: done gets it back */
    unsigned int answers;
};

struct outbound_box {
    struct sim_clock clock;
    struct poller *poller;
    struct msg_channel *control; /* the link's end, and the supervisor's */
    struct msg_channel *supervisor;
    struct msg_channel *courier; /* the courier's end; NULL: none */
    struct loop *loop;
    struct outbound_link *link;
    struct outbound outbound;
    struct msg msg; /* received last */
};

/* Of each test: *state is the box. */
int outbound_box_set_up(void **state);
int outbound_box_tear_down(void **state);

/* One turn of the worker, and one of whoever asked. */
void outbound_box_turn(struct outbound_box *f);

/* Jobs for a relay, and for a server. */
struct outbound_asked outbound_box_mail_for(struct outbound_box *f, struct span host);
struct outbound_asked outbound_box_fetch_for(struct outbound_box *f, struct span host, struct buf *answer);

void outbound_box_submit(struct outbound_box *f, struct outbound_asked *asked);

/* The next message for the supervisor; false: there is none. */
bool outbound_box_told(struct outbound_box *f);
void outbound_box_assert_told(struct outbound_box *f, uint32_t index, uint32_t count, struct span host);

/* A new courier, for the list that was told last. */
void outbound_box_start_courier(struct outbound_box *f, uint32_t list);

/* The next message for the courier; false: there is none. */
bool outbound_box_given(struct outbound_box *f);

/* Takes a mail with its text, or the text of one that was given; its number. */
uint64_t outbound_box_take_mail(struct outbound_box *f);
uint64_t outbound_box_take_text(struct outbound_box *f);

/* What the courier answers, and that it was the only answer. */
void outbound_box_say_done(struct outbound_box *f, uint64_t number, enum outbound_result result, uint32_t status);
void outbound_box_assert_ended(const struct outbound_asked *asked, enum outbound_result result,
                               enum outbound_stage stage);

#endif
