/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two halves of the sandbox: files by Landlock, system calls by seccomp. */
#ifndef HAL_LINUX_SANDBOX_INT_H
#define HAL_LINUX_SANDBOX_INT_H

#include "hal/base/attr.h"
#include "hal/base/err.h"
#include "hal/sandbox.h"

/* Sanitizers have a thread of their own and need a few more system calls. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZER 1
#else
#define SANDBOX_SANITIZER 0
#endif
#else
#define SANDBOX_SANITIZER 0
#endif

/* No file outside the directory (-1: none at all), no TCP bind or connect, no signal and no abstract socket out of the
 * process, but for what the profile has, as far as the kernel's Landlock goes. ERR_UNSUPPORTED where it has none,
 * ERR_REFUSED. */
enum err sandbox_confine_files(const struct sandbox_spec *spec) MUST_USE;

/* The system-call list; after sandbox_confine_files, for it lets files be opened. ERR_REFUSED, ERR_NO_MEMORY. */
enum err sandbox_filter_calls(const struct sandbox_spec *spec) MUST_USE;

#endif
