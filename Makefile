# SPDX-License-Identifier: GPL-3.0-or-later
#
# The only build file. `make help` names the targets.
#
# One set of sources is built in several variants, each in its own folder, so that they never mix:
#   $(O)/$(BOARD)/include/generated/kconfig.h   the configuration
#   $(O)/$(BOARD)/<variant>/librowlock.a        everything but main.c
#   $(O)/$(BOARD)/<variant>/rowlock             the program
#   $(O)/$(BOARD)/<variant>/tests/<name>        one program per tests/unit/*_test.c and tests/fault/*_test.c
# Sources are found by folder: to add a file is to create it.

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

O ?= build
DEPS ?= $(O)/deps
BOARD ?= host
# Whose images are trusted: a folder made by `make keys`. The one here is for trials only.
TEST_KEYS := board/keys/qemu
KEYS ?= $(TEST_KEYS)
DEFCONFIG ?= board/$(BOARD)/defconfig
PREFIX ?= /usr/local
TIME ?= 60
JOBS ?= $(shell nproc)
# One number for the whole run: what is printed is what was taken.
comma := ,
ifndef SEED
SEED := $(shell date +%s)
endif
PYTHON ?= /usr/bin/python3
# A board with an image.conf is an appliance; it says for which processor. Another one than this machine's is built for by
# Debian's cross compiler, with the libraries of that processor's packages unpacked below $(DEPS).
MACHINE := $(shell uname -m)
APPLIANCE := $(wildcard board/$(BOARD)/image.conf)
include $(APPLIANCE)
ARCH := $(or $(BOARD_ARCH),$(MACHINE))
CROSS := $(if $(filter-out $(MACHINE),$(ARCH)),$(ARCH)-linux-gnu-)
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
CLANG ?= clang-14

OUT := $(O)/$(BOARD)
IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null | head -n 1))
# Only the time stamps of generated things; the compiler is told not to use the clock (-Wdate-time).
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export LC_ALL := C

# --- flags -----------------------------------------------------------------------------------------------------------

BASE := -std=c17 -O2 -g -fno-common -fvisibility=hidden -fno-strict-aliasing -fno-strict-overflow

WARN := -Werror -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wunused-macros \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wnested-externs -Wvla -Walloca \
	-Wcast-qual -Wbad-function-cast -Wwrite-strings -Wpointer-arith -Wnull-dereference \
	-Wformat=2 -Wswitch-enum -Wdate-time -Wdouble-promotion -Wfloat-equal \
	-Wframe-larger-than=4096 -Wstack-protector
WARN_GCC := -Warith-conversion -Wcast-align=strict -Wformat-signedness -Wformat-overflow=2 -Wformat-truncation=2 \
	-Wstringop-overflow=4 -Warray-bounds=2 -Wimplicit-fallthrough=5 -Wduplicated-cond -Wduplicated-branches \
	-Wlogical-op -Wjump-misses-init -Wtrampolines
WARN_CLANG := -Wcomma -Wassign-enum -Wmissing-variable-declarations -Wshorten-64-to-32 -Wunreachable-code-aggressive

HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-delete-null-pointer-checks
HARDEN_GCC := -fzero-call-used-regs=used-gpr
ifeq ($(ARCH),x86_64)
HARDEN += -fcf-protection=full
endif
ifeq ($(ARCH),aarch64)
HARDEN += -mbranch-protection=standard
endif

LINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed,--no-undefined,--fatal-warnings
LINK_STATIC := -static-pie $(filter-out -pie,$(LINK))
# The programs of an appliance are static: there is nothing beside them in its root.
LINK_PROGRAM := $(if $(APPLIANCE),$(LINK_STATIC),$(LINK))
REPRO := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(O))=build -ffile-prefix-map=$(abspath $(DEPS))=build/deps

ifeq ($(IS_CLANG),)
WARN += $(WARN_GCC)
HARDEN += $(HARDEN_GCC)
init = -ftrivial-auto-var-init=$1
else
WARN += $(WARN_CLANG)
init =
endif

# Per variant: what it adds for the compiler (FLAGS_) and the linker (LINK_). Warnings that follow the data flow
# report nonsense on instrumented code, so only the release variant has them.
QUIET := -Wno-null-dereference -Wno-frame-larger-than
ifeq ($(IS_CLANG),)
QUIET += -Wno-stringop-overflow -Wno-maybe-uninitialized -Wno-array-bounds -Wno-format-overflow -Wno-format-truncation
else
QUIET += -Wno-unused-command-line-argument
endif
# -fno-strict-overflow makes signed overflow wrap, which hides it from the sanitizer; there it is a defect.
TRAP := -fno-wrapv
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
FLAGS_release := $(FORTIFY) $(call init,zero)
FLAGS_asan := -U_FORTIFY_SOURCE -O1 $(call init,pattern) $(TRAP) -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer $(QUIET)
LINK_asan := -fsanitize=address,undefined
FLAGS_tsan := -U_FORTIFY_SOURCE -O1 $(call init,pattern) -fsanitize=thread -fno-omit-frame-pointer $(QUIET)
LINK_tsan := -fsanitize=thread
FLAGS_cov := -U_FORTIFY_SOURCE -O0 $(call init,pattern) --coverage -fprofile-update=atomic $(QUIET)
LINK_cov := --coverage
FLAGS_debug := $(FORTIFY) -O1 $(call init,pattern) -fno-omit-frame-pointer $(QUIET)
# debug: for valgrind, which cannot run beside a sanitizer.
# noasm: the release flags against wolfCrypt without assembly; only for tests/unit/*_noasm_test.c.
FLAGS_noasm := $(FLAGS_release)

FLAGS_fuzz := -U_FORTIFY_SOURCE -O1 $(TRAP) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer $(QUIET)
LINK_fuzz := -fsanitize=address,undefined

BUILT := $(DEPS)$(if $(CROSS),/$(ARCH))
WOLFSSL := $(BUILT)/wolfssl
WOLFSSL_release := $(WOLFSSL)
WOLFSSL_asan := $(WOLFSSL)
WOLFSSL_tsan := $(WOLFSSL)
WOLFSSL_cov := $(WOLFSSL)
WOLFSSL_debug := $(WOLFSSL)
WOLFSSL_fuzz := $(WOLFSSL)
WOLFSSL_noasm := $(BUILT)/wolfssl-noasm
TSS := $(BUILT)/tpm2-tss

# lwIP is compiled here, in each variant, with net/lwip/lwipopts.h. Its own code gets the warnings that it was written for.
# Only what is named is compiled: neither its applications nor its sockets. mem_free is a name of ours, too.
LWIP := $(DEPS)/lwip
LWIP_INCLUDE := -Inet/lwip -isystem $(LWIP)/src/include
WARN_LWIP := -Werror -Wall -Wextra $(if $(IS_CLANG),-Wno-tautological-constant-out-of-range-compare)
LWIP_SOURCES := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf stats tcp tcp_in tcp_out timeouts udp) \
	$(addprefix core/ipv4/,acd dhcp etharp icmp ip4 ip4_addr ip4_frag) \
	$(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) netif/ethernet

# The packages that are linked into the program, of a foreign processor.
DEBIAN_x86_64 := amd64
DEBIAN_aarch64 := arm64
FOREIGN := $(if $(CROSS),$(addprefix $(DEPS)/debian-$(DEBIAN_$(ARCH))/,libsodium-dev liblmdb-dev libseccomp-dev libjansson-dev))
VENDOR_READY := $(WOLFSSL)/stamp $(TSS)/stamp $(LWIP)/stamp $(if $(CROSS),$(BUILT)/foreign)

INCLUDE := -I. -I$(OUT)/include $(FOREIGN:%=-isystem %/usr/include)
FOREIGN_LIBS := $(FOREIGN:%=-L%/usr/lib/$(ARCH)-linux-gnu)
LIBS := $(FOREIGN_LIBS) $(TSS)/lib/libtss2.a -lsodium -llmdb -lseccomp -ljansson -lpthread -lm

# Only hal/ may see more than POSIX.
standard = $(if $(filter hal/% tests/%,$1),-D_GNU_SOURCE,-D_POSIX_C_SOURCE=200809L)
# Tests build large fixtures on the stack, wrap functions of libc, cut texts and cast what cmocka hands them.
FLAGS_TEST := -Wno-frame-larger-than -Wno-missing-prototypes -Wno-unused-parameter -Wno-bad-function-cast -Wno-unused-macros
ifeq ($(IS_CLANG),)
FLAGS_TEST += -Wno-format-truncation
else
FLAGS_TEST += -Wno-missing-variable-declarations
endif

# --- sources ---------------------------------------------------------------------------------------------------------

FOLDERS := hal hal/base hal/linux crypto storage net firmware $(patsubst %/,%,$(wildcard firmware/*/)) board/$(BOARD) \
	$(if $(APPLIANCE),board/appliance)
# The two programs' main functions are in no archive.
SOURCES := $(sort $(filter-out firmware/main.c firmware/stage1/main.c,$(wildcard $(addsuffix /*.c,$(FOLDERS)))))
SIM_SOURCES := $(sort $(wildcard hal/sim/*.c))
TESTLIB_SOURCES := $(sort $(wildcard tests/lib/*.c))
UNIT := $(sort $(filter-out %_noasm_test.c,$(wildcard tests/unit/*_test.c)))
NOASM := $(sort $(wildcard tests/unit/*_noasm_test.c))
FAULT := $(sort $(wildcard tests/fault/*_test.c))
PROOF := $(sort $(wildcard tests/proof/*_proof.c))
FUZZ := $(sort $(wildcard tests/fuzz/*_fuzz.c))
NOASM_SOURCES := $(sort $(wildcard hal/base/*.c crypto/*.c))

VARIANTS := release asan tsan cov debug noasm fuzz
WRAP_ALLOC := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
sources_of = $(if $(filter noasm,$1),$(NOASM_SOURCES),$(SOURCES))
# The library without assembly has no TLS either, so the helpers of other tests do not compile with it.
support_of = $(if $(filter noasm,$1),,$(SIM_SOURCES) $(TESTLIB_SOURCES))

.PHONY: all deps packages config menuconfig build run test unit blackbox lint check check-built \
	check-all oracle unused test-tsan test-valgrind reproducible random-config fuzz fuzz-built proof cover mutate analyze \
	bench bench-built timing timing-built format image image-built image-check image-for-check boxes box-check qemu qemu-check \
	boot keys install clean help FORCE

all: build

help:
	@echo 'Rowlock. make O=<output folder, $(O)> BOARD=<board, $(BOARD)> CC=<gcc or clang>'
	@echo '  run          install what is missing, build, start on this machine'
	@echo '  deps         Debian packages and third-party source'
	@echo '  config       make the configuration; menuconfig edits it; <board>_defconfig starts from a board'
	@echo '  build        the program, release flags'
	@echo '  test         unit, fault, lint, small proofs: while you type'
	@echo '  unit T=name  one test program; blackbox K=expr STACK=lwip: the black-box tests that match'
	@echo '  check        what CI runs: the last line is "N passed, N failed"'
	@echo '  check-all    two hours: other sanitizers, compilers, configurations, proofs, a million requests'
	@echo '  lint  analyze  cover  mutate  proof  fuzz TIME=60  bench  timing  format'
	@echo '  image BOARD=board FLAVOR=release|debug KEYS=folder: the disk of an appliance; image-check: what it must hold'
	@echo '  qemu BOARD=board: that disk in QEMU, with a software TPM; boot T=name: its boot tests'
	@echo '  qemu-check: boot tests, and the black box against that machine; ten minutes'
	@echo '  boxes        the boards that refuse the published keys, in a machine made of the parts of a PC'
	@echo '  keys KEYS=folder: keys of your own that sign images'
	@echo '  install PREFIX=$(PREFIX) DESTDIR=;  clean'

# --- configuration ---------------------------------------------------------------------------------------------------

KCONFIGS := Kconfig $(wildcard */Kconfig board/*/Kconfig)
CONFIG := $(OUT)/config
CONFIG_H := $(OUT)/include/generated/kconfig.h
KCONFIG := $(PYTHON) board/kconfig.py --config $(CONFIG) --header $(CONFIG_H)

# The header is rewritten only when its text changes, so a new help text compiles nothing again.
$(OUT)/config.stamp: $(KCONFIGS) board/kconfig.py $(wildcard $(CONFIG)) $(DEFCONFIG)
	@mkdir -p $(@D)
	@BOARD=$(BOARD) $(KCONFIG) $(if $(wildcard $(CONFIG)),,--defconfig $(DEFCONFIG))
	@touch $@

$(CONFIG_H): $(OUT)/config.stamp
	@test -f $@ || BOARD=$(BOARD) $(KCONFIG)

config: $(CONFIG_H)

menuconfig: $(CONFIG_H)
	@BOARD=$(BOARD) $(KCONFIG) --menu

# The vendor's public keys, compiled in.
$(OUT)/keys: FORCE
	$(call remember,$(abspath $(KEYS)))

VENDOR_KEYS_H := $(OUT)/include/generated/vendor_keys.h
$(VENDOR_KEYS_H): board/image/signing.py $(wildcard $(KEYS)/*.pub) $(OUT)/keys
	@mkdir -p $(@D)
	@$(PYTHON) board/image/signing.py header $(KEYS) >$@

%_defconfig: board/%/defconfig
	@mkdir -p $(O)/$*/include/generated
	@BOARD=$* $(PYTHON) board/kconfig.py --config $(O)/$*/config --header $(O)/$*/include/generated/kconfig.h --defconfig $<

# --- dependencies ----------------------------------------------------------------------------------------------------

deps: packages
	@$(if $(CROSS),rm -f $(BUILT)/foreign; $(MAKE) $(BUILT)/foreign)
	@$(THIRD_PARTY) wolfssl $(BUILT)
	@$(THIRD_PARTY) tpm2-tss $(BUILT)
	@board/deps/third_party.sh lwip $(DEPS)
	@board/deps/unpacked.sh testssl $(DEPS) || echo 'deps: going on without testssl.sh: only a test of check needs it' >&2
	@board/deps/unpacked.sh chrony $(DEPS) || echo 'deps: going on without chrony: only a test of check needs it' >&2

packages:
	@board/deps/packages.sh board/deps/debian.txt

THIRD_PARTY := JOBS=$(JOBS) $(if $(CROSS),CROSS=$(ARCH)) board/deps/third_party.sh
$(WOLFSSL)/stamp: | $(if $(CROSS),$(BUILT)/foreign)
	@$(THIRD_PARTY) wolfssl $(BUILT)

$(TSS)/stamp: | $(if $(CROSS),$(BUILT)/foreign)
	@$(THIRD_PARTY) tpm2-tss $(BUILT)

$(BUILT)/foreign:
	@board/deps/packages.sh board/deps/debian-cross-$(ARCH).txt
	@board/image/debian.sh $(DEPS) $(DEBIAN_$(ARCH)) $(notdir $(FOREIGN))
	@mkdir -p $(@D) && touch $@

$(LWIP)/stamp:
	@board/deps/third_party.sh lwip $(DEPS)

# --- variants --------------------------------------------------------------------------------------------------------

# Rewrites a file only when its text changes: what depends on it is then rebuilt for a reason.
remember = @mkdir -p $(@D); printf '%s\n' '$1' | cmp -s - $@ || printf '%s\n' '$1' >$@

define variant
V_$1 := $(OUT)/$1
CFLAGS_$1 = $(BASE) $(WARN) $(HARDEN) $(REPRO) $(INCLUDE) $(LWIP_INCLUDE) -isystem $(WOLFSSL_$1)/include -isystem $(TSS)/include $(FLAGS_$1)
VENDOR_$1 = $(OUT)/$1/liblwip.a $(WOLFSSL_$1)/lib/libwolfssl.a
OBJECTS_$1 := $(patsubst %.c,$(OUT)/$1/obj/%.o,$(call sources_of,$1))
SUPPORT_$1 := $(patsubst %.c,$(OUT)/$1/obj/%.o,$(call support_of,$1))
ENGINE_$1 := $(OUT)/$1/obj/tests/proof/engine_$(if $(filter fuzz,$1),fuzz,exhaustive).o $(OUT)/$1/obj/tests/proof/alloc.o
TESTS_$1 := $(patsubst %.c,$(OUT)/$1/%,$(UNIT) $(FAULT))

# Objects hold what the headers of wolfSSL say of its structures: another build of it makes new objects.
$(OUT)/$1/flags: FORCE | $(VENDOR_READY)
	$$(call remember,$$(CC) $$(CFLAGS_$1) $$(LINK) $$(LINK_$1) $$(shell cat $(WOLFSSL)/stamp $(TSS)/stamp))

$(OUT)/$1/sources: FORCE
	$$(call remember,$$(OBJECTS_$1) $$(SUPPORT_$1))

$(OUT)/$1/obj/%.o: %.c $(OUT)/$1/flags $(CONFIG_H) | $(VENDOR_READY) $(VENDOR_KEYS_H)
	@mkdir -p $$(@D)
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(if $$(filter tests/%,$$<),$$(FLAGS_TEST)) $$(call standard,$$<) -MMD -MP -c -o $$@ $$<

CFLAGS_LWIP_$1 = $(BASE) $(WARN_LWIP) $(HARDEN) $(REPRO) $(INCLUDE) $(LWIP_INCLUDE) $(FLAGS_$1) -D_POSIX_C_SOURCE=200809L \
	-Dmem_free=lwip_mem_free

$(OUT)/$1/lwip.flags: FORCE
	$$(call remember,$$(CC) $$(CFLAGS_LWIP_$1) $$(LWIP_SOURCES))

$(OUT)/$1/lwip/%.o: $(LWIP)/stamp $(OUT)/$1/lwip.flags $(CONFIG_H) net/lwip/lwipopts.h net/lwip/hooks.h net/lwip/arch/cc.h | $(VENDOR_READY)
	@mkdir -p $$(@D)
	$$(QUIETLY)$$(CC) $$(CFLAGS_LWIP_$1) -c -o $$@ $(LWIP)/src/$$*.c

$(OUT)/$1/liblwip.a: $$(LWIP_SOURCES:%=$(OUT)/$1/lwip/%.o)
	@rm -f $$@
	@$$(CROSS)ar rcsD $$@ $$^

$(OUT)/$1/librowlock.a: $$(OBJECTS_$1) $(OUT)/$1/sources
	@rm -f $$@
	@$$(CROSS)ar rcsD $$@ $$(OBJECTS_$1)

$(OUT)/$1/rowlock: $(OUT)/$1/obj/firmware/main.o $(OUT)/$1/librowlock.a $(OUT)/$1/liblwip.a $$(if $$(APPLIANCE),$(OUT)/$1/getaddrinfo.o)
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(LINK_PROGRAM) $$(LINK_$1) -o $$@ $$^ $$(WOLFSSL_$1)/lib/libwolfssl.a $$(LIBS)

# The C library warns whoever links its getaddrinfo statically of modules that would be loaded, and here a warning is an
# error. Hosts files and DNS, which is all that a box has, are in the archive itself (since glibc 2.34).
$(OUT)/$1/getaddrinfo.o: | $(VENDOR_READY)
	@mkdir -p $$(@D); cd $$(@D) && $$(CROSS)ar x $$$$($$(CC) -print-file-name=libc.a) $$(@F) && $$(CROSS)objcopy -R .gnu.warning.getaddrinfo $$(@F)

# The first program of an appliance.
$(OUT)/$1/stage1: $(OUT)/$1/obj/firmware/stage1/main.o $(OUT)/$1/librowlock.a
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(LINK_STATIC) $$(LINK_$1) -o $$@ $$^ $$(FOREIGN_LIBS) -lsodium

# A test may ask for more at link time in a comment line of its own: /* link: --wrap=fsync -lpcre2-8 */
$(OUT)/$1/tests/%_test: $(OUT)/$1/obj/tests/%_test.o $$(SUPPORT_$1) $(OUT)/$1/librowlock.a $(OUT)/$1/liblwip.a
	@mkdir -p $$(@D)
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(LINK) $$(LINK_$1) -o $$@ $$< $$(SUPPORT_$1) \
		$$$$(sed -n 's|^/\* link: \(.*\) \*/$$$$|\1|p' tests/$$*_test.c | sed -e 's/^--/-Wl,--/' -e 's/ --/ -Wl,--/g') \
		$(OUT)/$1/librowlock.a $$(VENDOR_$1) -lcmocka $$(LIBS)

# A proof on the exhaustive engine: every choice up to a small bound, allocation refused by choice.
$(OUT)/$1/tests/%_proof: $(OUT)/$1/obj/tests/%_proof.o $$(ENGINE_$1) $(OUT)/$1/librowlock.a $(OUT)/$1/liblwip.a
	@mkdir -p $$(@D)
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(LINK) $$(LINK_$1) $(if $(filter fuzz,$1),-fsanitize=fuzzer) $(WRAP_ALLOC) -o $$@ $$< $$(ENGINE_$1) \
		$(OUT)/$1/librowlock.a $$(VENDOR_$1) $$(LIBS)

# What tests share: the simulated devices, builders, tamperers. A fuzzer takes what it needs of it and has no cmocka.
$(OUT)/$1/libsupport.a: $$(SUPPORT_$1) $(OUT)/$1/sources
	@rm -f $$@
	@$$(CROSS)ar rcsD $$@ $$(SUPPORT_$1)

# A fuzzer; clang only.
$(OUT)/$1/tests/%_fuzz: $(OUT)/$1/obj/tests/%_fuzz.o $(OUT)/$1/libsupport.a $(OUT)/$1/librowlock.a $(OUT)/$1/liblwip.a
	@mkdir -p $$(@D)
	$$(QUIETLY)$$(CC) $$(CFLAGS_$1) $$(LINK) $$(LINK_$1) -fsanitize=fuzzer -o $$@ $$< \
		$$$$(sed -n 's|^/\* link: \(.*\) \*/$$$$|\1|p' tests/$$*_fuzz.c | sed -e 's/^--/-Wl,--/' -e 's/ --/ -Wl,--/g') \
		-Wl,--start-group $(OUT)/$1/libsupport.a $(OUT)/$1/librowlock.a -Wl,--end-group $$(VENDOR_$1) $$(LIBS)

-include $$(patsubst %.o,%.d,$$(OBJECTS_$1) $$(SUPPORT_$1) $(patsubst %.c,$(OUT)/$1/obj/%.d,$(UNIT) $(FAULT) $(PROOF) $(FUZZ)) \
	$(OUT)/$1/obj/firmware/main.d $(OUT)/$1/obj/firmware/stage1/main.d)
endef

# V=1 shows every command.
QUIETLY = $(if $(V),,@echo '  $(notdir $(CC)) $@';)
$(foreach v,$(VARIANTS),$(eval $(call variant,$v)))

RUN := $(PYTHON) tests/run.py --jobs $(JOBS) --results $(OUT)/blackbox.xml
MAIN := $(wildcard firmware/main.c)
PROGRAM_release := $(if $(MAIN),$(OUT)/release/rowlock)
STAGE1_release := $(if $(APPLIANCE),$(OUT)/release/stage1)
PROGRAM_asan := $(if $(MAIN),$(OUT)/asan/rowlock)

build: $(OUT)/release/librowlock.a $(PROGRAM_release) $(STAGE1_release)

# Preloaded under a program: the recorder writes down what it asks of its disk.
$(OUT)/preload/%.so: tests/preload/%.c $(CONFIG_H)
	@mkdir -p $(@D)
	$(QUIETLY)$(CC) -std=c17 -O1 -g -Wall -Wextra -Werror -D_GNU_SOURCE -fPIC -shared -o $@ $< -ldl -lpthread

$(foreach v,$(VARIANTS),$(OUT)/$v/tests/fault/storage_durability_test): | $(OUT)/preload/recorder.so

# For the black-box tests alone: the program with the recorder in it, and what looks at databases from outside.
RECORDER := $(OUT)/asan/obj/tests/preload/recorder.o $(OUT)/asan/obj/tests/preload/no_sync.o
$(OUT)/asan/rowlock-recorded: $(OUT)/asan/obj/firmware/main.o $(RECORDER) $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -rdynamic -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

# The program as on a board that has a watchdog and a VM generation, both plain files, with short limits, a disk that fails
# when told to, and configured to bind the root key to PCR 16: what a file here defines is not taken from the archive.
WATCHED_H := $(OUT)/watched/include/generated/kconfig.h
$(WATCHED_H): tests/preload/watched.defconfig $(CONFIG_H)
	@mkdir -p $(@D)
	@cat $(CONFIG) $< >$(OUT)/watched/defconfig
	@BOARD=$(BOARD) $(PYTHON) board/kconfig.py --config $(OUT)/watched/config --header $@ --defconfig $(OUT)/watched/defconfig
	@touch $@

$(OUT)/asan/obj/tests/preload/watched_keeper.o: firmware/keeper/keeper.c $(WATCHED_H) $(OUT)/asan/obj/firmware/keeper/keeper.o
	@mkdir -p $(@D)
	$(QUIETLY)$(CC) -I$(OUT)/watched/include $(CFLAGS_asan) $(call standard,$<) -c -o $@ $<

WATCHED := $(patsubst %,$(OUT)/asan/obj/tests/preload/%.o,watched_board watched_keeper watched_limits watchdog_file meta_fails)
$(OUT)/asan/rowlock-watched: $(OUT)/asan/obj/firmware/main.o $(WATCHED) $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -rdynamic -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

BOX_TOOL := $(patsubst %,$(OUT)/asan/obj/tests/fault/box_%.o,tool look cuts)
$(OUT)/asan/tests/fault/box_tool: $(BOX_TOOL) $(OUT)/asan/libsupport.a $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	@mkdir -p $(@D)
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a -lcmocka $(LIBS)

# The program with the column check of sorts switched off: its plan.o asks tests/preload/sort_leak.c instead.
$(OUT)/asan/obj/tests/preload/leaky_plan.o: $(OUT)/asan/obj/firmware/data/plan.o
	@mkdir -p $(@D)
	@objcopy --redefine-sym rls_column=sort_leak_column $< $@

LEAKY := $(patsubst %,$(OUT)/asan/obj/tests/preload/%.o,leaky_plan sort_leak)
$(OUT)/asan/rowlock-leaky: $(OUT)/asan/obj/firmware/main.o $(LEAKY) $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

# The program with a keeper that takes its time for each signature: its links.o asks tests/preload/slow_sign.c instead.
$(OUT)/asan/obj/tests/preload/slow_links.o: $(OUT)/asan/obj/firmware/keeper/links.o
	@mkdir -p $(@D)
	@objcopy --redefine-sym identity_sign=slow_sign $< $@

SLOW := $(patsubst %,$(OUT)/asan/obj/tests/preload/%.o,slow_links slow_sign)
$(OUT)/asan/rowlock-slow: $(OUT)/asan/obj/firmware/main.o $(SLOW) $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -rdynamic -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

# The program with a calendar clock that a test sets: what tests/preload/set_clock.c defines is not taken from the archive.
DATED := $(OUT)/asan/obj/tests/preload/set_clock.o
$(OUT)/asan/rowlock-dated: $(OUT)/asan/obj/firmware/main.o $(DATED) $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -rdynamic -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

# The evaluator for tests/reference/compare.py.
RLS_TOOL := $(OUT)/asan/tests/reference/rls_tool
$(RLS_TOOL): $(OUT)/asan/obj/tests/reference/rls_tool.o $(OUT)/asan/librowlock.a $(OUT)/asan/liblwip.a
	@mkdir -p $(@D)
	$(QUIETLY)$(CC) $(CFLAGS_asan) $(LINK) $(LINK_asan) -o $@ $^ $(WOLFSSL_asan)/lib/libwolfssl.a $(LIBS)

-include $(RECORDER:.o=.d) $(WATCHED:.o=.d) $(BOX_TOOL:.o=.d) $(DATED:.o=.d) \
	$(patsubst %,$(OUT)/asan/obj/tests/preload/%.d,slow_sign sort_leak) $(OUT)/asan/obj/tests/reference/rls_tool.d
BLACKBOX_PROGRAMS := $(PROGRAM_asan) \
	$(if $(MAIN),$(addprefix $(OUT)/asan/,rowlock-recorded rowlock-watched rowlock-leaky rowlock-slow rowlock-dated tests/fault/box_tool))

# --- tests -----------------------------------------------------------------------------------------------------------

# One test program, for development: make unit T=storage_row [VARIANT=asan]
VARIANT ?= asan
ifneq ($(T),)
ONE := $(patsubst %.c,$(OUT)/$(VARIANT)/%,$(wildcard tests/unit/$(T)_test.c tests/fault/$(T)_test.c))
unit: $(ONE)
	@test -n '$(ONE)' || { echo 'no tests/unit/$(T)_test.c or tests/fault/$(T)_test.c'; exit 1; }
	@for program in $(ONE); do $$program || exit 1; done
else
unit: $(TESTS_$(VARIANT))
	@$(RUN) --programs $(TESTS_$(VARIANT))
endif

# The tests that stand beside the programs: lint, and wolfCrypt without assembly.
NOASM_TESTS := $(patsubst %.c,$(OUT)/noasm/%,$(NOASM))
SMALL_PROOFS := $(patsubst %.c,$(OUT)/asan/%,$(PROOF))
TEST_PROGRAMS := $(TESTS_asan) $(NOASM_TESTS) $(SMALL_PROOFS)

# Checks of the checks: each must find what is planted for it. Their environment is the build's own flags.
CHECKS := tests/lint/run.sh "tests/lint/sanitizers.sh $(OUT)/planted" \
	"tests/lint/build.sh $(OUT)/promises $(OUT)/release/flags $(OUT)/asan/flags $(WOLFSSL)" \
	"tests/proof/planted.sh $(OUT)/planted $(OUT)/asan/librowlock.a $(ENGINE_asan)" \
	"tests/reference/compare.py $(RLS_TOOL)"
CHECK_ENV = CC='$(CC)' ASAN='$(CC) $(BASE) $(FLAGS_asan)' TSAN='$(CC) $(BASE) $(FLAGS_tsan)' \
	COMPILE='$(CC) $(CFLAGS_asan) $(FLAGS_TEST) -D_GNU_SOURCE' LINK='$(LINK) $(LINK_asan) $(WRAP_ALLOC)' \
	LIBS='$(WOLFSSL)/lib/libwolfssl.a $(LIBS)'

test: $(TEST_PROGRAMS) $(ENGINE_asan) $(RLS_TOOL) $(OUT)/release/flags
	@$(CHECK_ENV) $(RUN) --programs $(TEST_PROGRAMS) $(CHECKS)

lint:
	@$(RUN) --programs tests/lint/run.sh

# The program under test is the one with the sanitizers, found by the tests in the environment.
BLACKBOX_ENV = TESTSSL=$(abspath $(DEPS))/testssl/run CHRONYD=$(abspath $(DEPS))/chrony/run \
	ROWLOCK_ROOT=$(CURDIR) ROWLOCK_BUILD=$(abspath $(OUT)) \
	ROWLOCK=$(abspath $(OUT)/asan/rowlock) ROWLOCK_RELEASE=$(abspath $(OUT)/release/rowlock) \
	ROWLOCK_INSTALL='make O=$(O) DEPS=$(DEPS) BOARD=$(BOARD) CC=$(CC) install'
BLACKBOX := $(if $(wildcard tests/blackbox/test_*.py),tests/blackbox)

# STACK=lwip: every box over the stack in user space, in network namespaces (root).
BLACKBOX_LIMIT ?= 1500
blackbox: $(BLACKBOX_PROGRAMS) $(PROGRAM_release)
	@$(BLACKBOX_ENV) $(if $(STACK),STACK=$(STACK)) $(RUN) --pytest-limit $(BLACKBOX_LIMIT) --pytest tests/blackbox -k '$(K)'

# What CI runs. deps comes first and alone: it may install the compiler.
check: deps
	@board/deps/packages.sh board/deps/debian-image.txt
	@$(MAKE) check-built

# The board whose image is tested: one of this machine's processor that takes the published keys.
IMAGE_BOARD := $(firstword $(foreach c,$(wildcard board/*/image.conf),$(if $(filter 2,$(shell grep -cxE \
	'BOARD_ARCH=$(MACHINE)|BOARD_TEST_KEYS=yes' $c)),$(patsubst board/%/image.conf,%,$c))))
image_checks = $(foreach t,image again,"tests/image/$t.sh $1/image.env $1/image $1/trials-$t")

image-for-check:
	@$(if $(IMAGE_BOARD),$(MAKE) $(PARALLEL) BOARD=$(IMAGE_BOARD) image-built)

check-built: build image-for-check $(TEST_PROGRAMS) $(ENGINE_asan) $(RLS_TOOL) $(BLACKBOX_PROGRAMS)
	@$(CHECK_ENV) $(BLACKBOX_ENV) $(RUN) $(if $(BLACKBOX),--pytest $(BLACKBOX)) --programs $(TEST_PROGRAMS) $(CHECKS) \
		"tests/lint/elf.sh '$(PROGRAM_release)' $(OUT)/release/librowlock.a $(OUT)/elf \
			$(if $(IMAGE_BOARD),$(addprefix $(O)/$(IMAGE_BOARD)/release/,rowlock stage1))" \
		$(if $(IMAGE_BOARD),$(call image_checks,$(O)/$(IMAGE_BOARD)) $(call boot_test,tests/boot/direct.py))

# --- deeper --------------------------------------------------------------------------------------------------------------

# What check-all puts into its longest steps. More, for a night: make check-all KILL_BOXES=50 CUTS=1500 TIME=600
KILL_BOXES ?= 3
CUTS ?= 240
STREAM_REQUESTS ?= 1000000

# One step of check-all, and how long it took. One that fails is remembered, and the others still say what they have to.
FAILED = $(OUT)/check-all.failed
step = +@echo '== $1'; began=$$(date +%s); ($2) || echo '$1' >>$(FAILED); echo "== $1: $$(($$(date +%s) - began)) s"
# Builds of a step go side by side, as its tests do.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
STEP = $(MAKE) $(PARALLEL)
# Half of what a stream does is waiting, for a box, a disk or another millisecond.
STREAM_JOBS = $(shell expr $(JOBS) + 1)

# Some two hours on two cores; half an hour less with SAMPLES=500.
check-all: check
	@rm -f $(FAILED)
	$(call step,kill -9 in $(KILL_BOXES) boxes and power cuts at $(CUTS) places,export ROWLOCK_KILL_BOXES=$(KILL_BOXES) ROWLOCK_CUTS=$(CUTS); \
		$(STEP) BLACKBOX_LIMIT=10800 blackbox K='durability or board_host')
	$(call step,the black box over the stack in user space,$(STEP) STACK=lwip BLACKBOX_LIMIT=3600 blackbox)
	$(if $(IMAGE_BOARD),$(call step,boot: the image in QEMU$(comma) and the black box against it,export BOOT_LONG=1; $(STEP) qemu-check))
	$(call step,the evaluator and its reference,$(STEP) oracle)
	$(call step,non-interference: $(STREAM_REQUESTS) requests$(comma) ROWLOCK_SEED=$(SEED),export ROWLOCK_SEED=$(SEED) \
		ROWLOCK_STREAM_REQUESTS=$(STREAM_REQUESTS) ROWLOCK_REFERENCE_POLICIES=2000; \
		$(STEP) JOBS=$(STREAM_JOBS) BLACKBOX_LIMIT=21600 blackbox K='noninterference or reference')
	$(call step,thread sanitizer,$(STEP) test-tsan)
	$(call step,valgrind,$(STEP) test-valgrind)
	$(call step,functions that only tests call,$(STEP) unused)
	$(call step,analyzers,$(STEP) analyze)
	$(call step,the second compiler,$(STEP) O=$(O)/clang DEPS=$(abspath $(DEPS)) CC=$(CLANG) build test)
	$(call step,two builds of one tree are the same bytes,$(STEP) reproducible \
		$(if $(IMAGE_BOARD),&& $(STEP) BOARD=$(IMAGE_BOARD) reproducible))
	$(call step,a random configuration,$(STEP) random-config)
	$(call step,every board,for board in $(patsubst board/%/defconfig,%,$(wildcard board/*/defconfig)); do \
		echo "board $$board"; $(STEP) BOARD=$$board build || exit 1; done)
	$(call step,the images of boxes,$(STEP) boxes)
	$(call step,timing of sign-ins and mails: $(SAMPLES) samples of each case,$(STEP) timing)
	$(call step,proofs,$(STEP) proof)
	$(call step,fuzzers,$(STEP) fuzz)
	$(call step,coverage,$(STEP) cover)
	$(call step,mutants of the policy evaluator,$(STEP) mutate)
	@if [ -s $(FAILED) ]; then echo 'check-all: these failed:'; cat $(FAILED); exit 1; fi; echo 'check-all: every step passed'

# Ten and more times as slow, and longer beside something else.
SLOW_LIMIT := 1800

# Not in check: a module may come before the one that calls it.
unused: build
	@CC='$(CC)' $(RUN) --programs \
		"tests/lint/unused.sh $(OUT)/release/librowlock.a '$(MAIN:%.c=$(OUT)/release/obj/%.o)' $(OUT)/unused"

# SEED is printed, so that a run can be repeated.
oracle: $(RLS_TOOL)
	@ROWLOCK_ORACLE=full ROWLOCK_ORACLE_TUPLES=1000000 ROWLOCK_SEED=$(SEED) $(RUN) --tell --limit 3600 \
		--programs "tests/reference/compare.py $(RLS_TOOL)"

test-tsan: $(TESTS_tsan)
	@TSAN_OPTIONS=halt_on_error=1 $(RUN) --limit $(SLOW_LIMIT) --programs $(TESTS_tsan)

# They meet what valgrind does not know (pidfd_open, Landlock) or keeps for itself (the limit of open files); what LMDB does
# with a file that somebody changed; children that end with what they hold.
NOT_VALGRIND := $(addprefix %/,hal_process_test hal_sandbox_test hal_sandbox_first_test hal_sandbox_courier_test \
	keeper_keeper_test keeper_images_test updater_updater_test courier_courier_test storage_hostile_test \
	storage_durability_test supervisor_child_test supervisor_starter_test supervisor_pin_test)
# Argon2id at its real cost takes a second there, but its own test wants it as it is.
REAL_ARGON2 := $(OUT)/debug/tests/unit/crypto_pwhash_test
QUICK_ARGON2 := $(OUT)/preload/quick_argon2.so
test-valgrind: $(TESTS_debug) $(QUICK_ARGON2)
	@$(CHECK_ENV) $(RUN) --limit $(SLOW_LIMIT) --programs "tests/lint/sanitizers.sh $(OUT)/planted valgrind" \
		$(foreach t,$(filter-out $(NOT_VALGRIND),$(TESTS_debug)),"$(if $(filter-out $(REAL_ARGON2),$t),env LD_PRELOAD=$(abspath $(QUICK_ARGON2)) )valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite $t")

reproducible: build
	@rm -rf $(O)/again; mkdir -p $(O)/again/$(BOARD); cp $(CONFIG) $(O)/again/$(BOARD)/config
	@$(MAKE) O=$(O)/again DEPS=$(abspath $(DEPS)) build
	@cmp $(OUT)/release/librowlock.a $(O)/again/$(BOARD)/release/librowlock.a
	@test -z '$(MAIN)' || cmp $(OUT)/release/rowlock $(O)/again/$(BOARD)/release/rowlock
	@[ ! -f board/$(BOARD)/image.conf ] || { $(MAKE) image-built && $(MAKE) O=$(O)/again DEPS=$(abspath $(DEPS)) image-built && \
		diff -rq $(OUT)/image $(O)/again/$(BOARD)/image; }
	@echo 'the same bytes'

random-config:
	@mkdir -p $(O)/random/$(BOARD)/include/generated
	@echo 'SEED=$(SEED)'; BOARD=$(BOARD) $(PYTHON) board/kconfig.py --config $(O)/random/$(BOARD)/config \
		--header $(O)/random/$(BOARD)/include/generated/kconfig.h --defconfig board/$(BOARD)/defconfig --random $(SEED)
	@$(MAKE) O=$(O)/random DEPS=$(abspath $(DEPS)) build

# Fuzzers need clang, so this calls make again with it. Each target runs for TIME seconds.
fuzz:
	@$(MAKE) CC=$(CLANG) O=$(O)/clang DEPS=$(abspath $(DEPS)) fuzz-built

FUZZERS := $(patsubst %.c,$(OUT)/fuzz/%,$(wildcard tests/fuzz/$(or $(T),*)_fuzz.c) $(if $(T),,tests/fuzz/planted/overflow_fuzz.c)) \
	$(if $(T),,$(patsubst %.c,$(OUT)/fuzz/%,$(PROOF)))
fuzz-built: $(FUZZERS)
	@$(RUN) --tell --limit $(shell expr 300 + $(TIME)) \
		--programs $(foreach f,$(FUZZERS),"tests/fuzz/run.sh $(TIME) $(OUT)/found $f")

CBMC := $(DEPS)/cbmc/run
proof: $(SMALL_PROOFS) $(ENGINE_asan)
	@board/deps/unpacked.sh cbmc $(DEPS) || echo 'SKIPPED: no cbmc on this machine; only the small exhaustive proofs run'
	@$(CHECK_ENV) $(RUN) --tell --limit 3600 --programs $(SMALL_PROOFS) \
		"tests/proof/planted.sh $(OUT)/planted $(OUT)/asan/librowlock.a $(ENGINE_asan)" \
		"tests/proof/cbmc.sh $(CBMC) $(INCLUDE)"

# Processes of the black box end by signal inside a sandbox and write no counts, so this is the coverage of unit and
# fault tests. The policy evaluator has to be covered whole.
cover: $(TESTS_cov)
	@find $(OUT)/cov -name '*.gcda' -delete
	@$(RUN) --programs $(TESTS_cov)
	@lcov --quiet --capture --directory $(OUT)/cov --base-directory . --no-external --rc lcov_branch_coverage=1 \
		--output-file $(OUT)/cov/all.info 2>/dev/null
	@lcov --quiet --remove $(OUT)/cov/all.info '*/tests/*' '*/hal/sim/*' --rc lcov_branch_coverage=1 \
		--output-file $(OUT)/cov/ours.info
	@genhtml --quiet --branch-coverage --output-directory $(OUT)/cov/html $(OUT)/cov/ours.info
	@lcov --list $(OUT)/cov/ours.info --rc lcov_branch_coverage=1
	@tests/lint/covered.sh $(OUT)/cov/ours.info firmware/rls
	@echo 'in detail: $(OUT)/cov/html/index.html'

# Changes the policy evaluator at one place at a time; its tests must notice. Some minutes.
mutate: $(CONFIG_H) | $(VENDOR_READY)
	@COMPILE='$(CC) $(filter-out -g -O2,$(BASE)) -w $(INCLUDE) $(LWIP_INCLUDE) -isystem $(WOLFSSL)/include -isystem $(TSS)/include -D_GNU_SOURCE' \
		LIBS='-lcmocka $(LIBS)' \
		$(PYTHON) tests/mutation/mutate.py --jobs $(JOBS) --work $(OUT)/mutation $(if $(V),--tell) $(if $(T),--only $(T))

ANALYZED := $(patsubst %.c,$(OUT)/analyze/%.txt,$(SOURCES) $(MAIN))
CLANG_CFLAGS := $(filter-out -W% -f%,$(BASE)) -Wall -Wextra
$(OUT)/analyze/%.txt: %.c $(CONFIG_H) tests/lint/analyze.sh tests/lint/analyzer.txt .clang-tidy | $(VENDOR_READY) $(VENDOR_KEYS_H)
	@mkdir -p $(@D); echo '  analyze $<'
	@CC='$(CC)' CLANG='$(CLANG)' TIDY='$(subst clang,clang-tidy,$(CLANG))' \
		FLAGS='$(filter-out -Werror,$(BASE)) $(INCLUDE) $(LWIP_INCLUDE) -isystem $(WOLFSSL)/include -isystem $(TSS)/include $(call standard,$<)' \
		CLANG_FLAGS='$(CLANG_CFLAGS) $(INCLUDE) $(LWIP_INCLUDE) -isystem $(WOLFSSL)/include -isystem $(TSS)/include $(call standard,$<)' \
		CPP_FLAGS='-I$(OUT)/include $(call standard,$<)' tests/lint/analyze.sh $< $@

analyze: $(ANALYZED)
	@cat $(ANALYZED) /dev/null
	@echo "$$(find $(ANALYZED) -empty | wc -l) passed, $$(find $(ANALYZED) -not -empty | wc -l) failed"
	@test -z "$$(find $(ANALYZED) -not -empty)"

$(OUT)/release/tests/bench/index_seek: $(patsubst %,$(OUT)/release/obj/tests/lib/%.o,store_box temp)

BENCH_TOOLS := $(patsubst %.c,$(OUT)/release/%,$(wildcard tests/bench/*.c))
$(OUT)/release/tests/bench/%: tests/bench/%.c $(OUT)/release/librowlock.a $(OUT)/release/liblwip.a $(OUT)/release/flags | $(VENDOR_READY)
	@mkdir -p $(@D)
	$(QUIETLY)$(CC) $(CFLAGS_release) $(FLAGS_TEST) -D_GNU_SOURCE $(LINK) -o $@ $(filter %.c %.o,$^) $(OUT)/release/librowlock.a \
		$(VENDOR_release) $(LIBS)

# A build of its own: one reactor, as the figures are for one core.
bench: deps
	@board/deps/packages.sh board/deps/debian-bench.txt || echo 'bench: not everything to compare with is there'
	@$(MAKE) O=$(O)/bench DEPS=$(abspath $(DEPS)) DEFCONFIG=tests/bench/defconfig bench-built
	@$(if $(QEMU_BOARD),$(MAKE) BOARD=$(QEMU_BOARD) image && \
		$(PYTHON) tests/bench/power_on.py $(BOOT_GIVEN))

bench-built: build $(BENCH_TOOLS)
	@$(PYTHON) tests/bench/bench.py --binary $(OUT)/release/rowlock --tools $(OUT)/release/tests/bench

# Of each case of tests/bench/timing.py. A build of its own, whose hashes cost the least that is allowed.
SAMPLES ?= 10000
timing:
	@$(MAKE) O=$(O)/timing DEPS=$(abspath $(DEPS)) DEFCONFIG=tests/bench/timing.defconfig timing-built

timing-built: build
	@$(PYTHON) tests/bench/timing.py --binary $(OUT)/release/rowlock --samples $(SAMPLES) --seed $(SEED)

format:
	@clang-format-14 -i $(SOURCES) $(SIM_SOURCES) $(MAIN) $(wildcard $(addsuffix /*.h,$(FOLDERS)))

# --- image -----------------------------------------------------------------------------------------------------------

# A board with an image.conf is an appliance, whose whole disk is made here: board/image/README.md. FLAVOR=debug has a shell.
FLAVOR ?= release
VERSION ?= $(shell sed -n 's/^\#define ROWLOCK_VERSION "\(.*\)"/\1/p' firmware/version.h)
IMAGE := $(OUT)/image$(if $(filter debug,$(FLAVOR)),-debug)

image: $(if $(wildcard board/$(BOARD)/image.conf),deps)
	@[ -f board/$(BOARD)/image.conf ] || { echo 'image: $(BOARD) has no image: make image BOARD=<one of$(patsubst board/%/image.conf, %,$(wildcard board/*/image.conf))>'; exit 1; }
	@board/deps/packages.sh board/deps/debian-image.txt
	@$(MAKE) image-built

# What board/image/build.sh takes. Left beside the image, so that a test can make it again.
define IMAGE_ENV
BOARD='$(BOARD)'
KEYS='$(KEYS)'
FLAVOR='$(FLAVOR)'
VERSION='$(VERSION)'
DEPS='$(DEPS)'
LIBS='$(LIBS)'
CONFIG_H='$(CONFIG_H)'
PROGRAM='$(OUT)/release/rowlock'
STAGE1='$(OUT)/release/stage1'
SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)'
COMMIT='$(shell git describe --always --dirty --abbrev=40 --exclude="*" 2>/dev/null)'
endef

# The checks of the image alone: make BOARD=qemu-x86_64 image-check
image-check: image-built
	@CC='$(CC)' $(RUN) --programs $(call image_checks,$(OUT)) \
		"tests/lint/elf.sh '' $(OUT)/release/librowlock.a $(OUT)/elf $(OUT)/release/rowlock $(OUT)/release/stage1"

# The boards of this machine's processor that refuse the published keys: their images are made with keys of their own, held to
# their lists, and started in a machine made of what a PC is made of.
BOX_BOARDS := $(foreach c,$(wildcard board/*/image.conf),$(if $(filter 2,$(shell grep -cxE \
	'BOARD_ARCH=$(MACHINE)|BOARD_TEST_KEYS=no' $c)),$(patsubst board/%/image.conf,%,$c)))
boxes:
	@[ -d $(O)/boxes/keys ] || board/image/keys.sh $(O)/boxes/keys
	@for board in $(BOX_BOARDS); do $(MAKE) BOARD=$$board O=$(O)/boxes DEPS=$(abspath $(DEPS)) KEYS=$(abspath $(O)/boxes/keys) \
		box-check || exit 1; done

box-check: image-built
	@CC='$(CC)' $(RUN) --tell --limit 1800 --programs "tests/image/image.sh $(OUT)/image.env $(OUT)/image $(OUT)/trials-image" \
		"tests/lint/elf.sh '' $(OUT)/release/librowlock.a $(OUT)/elf $(OUT)/release/rowlock $(OUT)/release/stage1" \
		"tests/boot/box/power_on.py $(OUT)/image.env $(OUT)/image $(OUT)/trials-boot"

image-built: build
	$(file >$(IMAGE).env,$(IMAGE_ENV))
	@set -a; . $(abspath $(IMAGE).env); board/image/build.sh $(IMAGE)

# --- use -------------------------------------------------------------------------------------------------------------

# Keys of a vendor's own, for `make image KEYS=folder`.
keys:
	@[ '$(KEYS)' != '$(TEST_KEYS)' ] || { echo 'make keys KEYS=<folder to be made>'; exit 1; }
	@board/image/keys.sh '$(KEYS)'

# --- virtual machine -------------------------------------------------------------------------------------------------

# The appliance in QEMU: the board that was asked for, or the one of this machine's processor.
QEMU_BOARD := $(if $(wildcard board/$(BOARD)/machine.conf),$(BOARD),$(IMAGE_BOARD))

qemu:
	@$(MAKE) BOARD=$(QEMU_BOARD) image
	@exec board/$(QEMU_BOARD)/run --image $(abspath $(O)/$(QEMU_BOARD)/image) --data $(abspath $(O)/$(QEMU_BOARD)/data) --keys $(KEYS)

# Programs of tests that start machines, with what they are given; those that other tests lean on have no tests of their own.
# Those that take the longest begin first, so that none is left over at the end; a watchdog's is a minute of waiting.
BOOT_LONGEST := $(patsubst %,tests/boot/%.py,watchdog sealing updates cuts secure_boot)
BOOT_TESTS := $(BOOT_LONGEST) $(filter-out $(BOOT_LONGEST) $(addprefix %/,lab.py boxes.py volatile_disk.py bare_tpm.py), \
	$(wildcard tests/boot/*.py))
BOOT_GIVEN = $(addprefix $(O)/$(QEMU_BOARD)/,image.env image trials-boot)
boot_test = "$1 $(BOOT_GIVEN)$(if $2, $2)"

QEMU_LIMIT := 3600
# What an appliance promises, on its image: the boot tests, and of the black box what needs no more than a box to talk to.
qemu-check:
	@$(MAKE) BOARD=$(QEMU_BOARD) image
	@APPLIANCE='board/$(QEMU_BOARD)/run --image $(abspath $(O)/$(QEMU_BOARD)/image) --keys $(KEYS)' \
		$(BLACKBOX_ENV) $(RUN) --program-jobs $(STREAM_JOBS) --tell \
		--limit $(QEMU_LIMIT) --pytest-limit $(QEMU_LIMIT) --pytest tests/blackbox -k '$(K)' \
		--programs $(foreach t,$(BOOT_TESTS),$(call boot_test,$t))

# All of them, or those of one program: make boot T=root
boot:
	@$(MAKE) BOARD=$(QEMU_BOARD) image
	@$(RUN) --tell --limit $(QEMU_LIMIT) --programs $(foreach t,$(if $(T),tests/boot/$(T).py,$(BOOT_TESTS)),$(call boot_test,$t))

# deps comes first and alone, as in check.
run: deps
	@$(MAKE) build
	@exec env ROWLOCK=$(abspath $(OUT))/release/rowlock board/$(BOARD)/run

install: build
	install -D -s -m 0755 $(OUT)/release/rowlock $(DESTDIR)$(PREFIX)/bin/rowlock
	install -D -m 0755 board/$(BOARD)/run $(DESTDIR)$(PREFIX)/bin/rowlock-$(BOARD)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/rowlock LICENSE README.md

# Not the box that `make run` keeps there, nor the dependencies.
clean:
	@[ ! -d $(OUT) ] || find $(OUT) -mindepth 1 -maxdepth 1 ! -name data ! -name data.tpm -exec rm -rf {} +
	@rm -rf $(patsubst %,$(O)/%/$(BOARD),again bench clang random timing) $(O)/boxes

FORCE:
