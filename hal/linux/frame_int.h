/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two kinds of sources of frames. */
#ifndef HAL_LINUX_FRAME_INT_H
#define HAL_LINUX_FRAME_INT_H

#include "hal/frame.h"

/* See hal_frame_open(); the name has been looked at. */
enum err frame_packet_open(const char *name, struct hal_frame_about *out_about, int *out_fd) MUST_USE;
enum err frame_tap_open(const char *name, struct hal_frame_about *out_about, int *out_fd) MUST_USE;

/* See hal_frame_take(). */
enum err frame_packet_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame) MUST_USE;
enum err frame_tap_take(int take_fd, const struct hal_frame_about *about, struct hal_frame **out_frame) MUST_USE;

/* Address and MTU of an interface. ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_IO. */
enum err frame_look_at(const char *name, struct hal_frame_about *about) MUST_USE;

/* Sends by one call; see hal_frame_send(). */
enum err frame_write(int fd, const struct span *parts, size_t count) MUST_USE;

#endif
