/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A source of frames in memory: what a test gives is received, what is sent a test takes. */
#ifndef HAL_SIM_SIM_FRAME_H
#define HAL_SIM_SIM_FRAME_H

#include "hal/frame.h"

#define SIM_FRAME_QUEUE 8192 /* frames each way; more are lost */

struct sim_frame;

/* The interface belongs to who closes hal_frame_close(sim_frame_hal()). ERR_NO_MEMORY, ERR_IO. */
enum err sim_frame_new(const uint8_t own[HAL_FRAME_MAC_BYTES], struct sim_frame **out_sim) MUST_USE;
struct hal_frame *sim_frame_hal(struct sim_frame *sim);

/* A frame for the stack; copied. */
void sim_frame_give(struct sim_frame *sim, struct span bytes, enum hal_frame_sums sums);

/* The next frame that the stack sent; a view until the next call. ERR_AGAIN: none. */
enum err sim_frame_take(struct sim_frame *sim, struct span *out_bytes) MUST_USE;

/* Sending answers ERR_AGAIN this many times from now on. */
void sim_frame_refuse(struct sim_frame *sim, size_t times);

#endif
