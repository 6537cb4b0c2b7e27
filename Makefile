# Vitrine. `make demo` shows it, `make check` tests it; both install what is
# missing first. `make help` lists the rest.

CC ?= gcc
PREFIX ?= /usr/local
BUILD ?= build
CFLAGS ?= -O2 -g
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600
PACKAGES := sdl2

ifeq ($(origin CC),default)
CC := gcc
endif

WARN := -std=c11 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -Wstrict-prototypes -Wmissing-prototypes -Wvla
BASE := -D_GNU_SOURCE -I. -MMD -MP -fno-strict-aliasing -fno-common -pthread
PROGRAM := vitrine

# SANITIZE=1: the whole tree under ASan and UBSan. SANITIZE=fuzz: that, made
# by clang, with libFuzzer's coverage. The tail calls of the interpreter's
# dispatch are plain calls then (emu/x86/uop.h).
ifdef SANITIZE
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
       -fno-omit-frame-pointer -DVITRINE_NO_TAILCALL
CFLAGS := -O1 -g
ifeq ($(SANITIZE),fuzz)
override BUILD := $(BUILD)/fuzz
WARN := -std=c11 -w
SAN += -fsanitize=fuzzer-no-link
else
override BUILD := $(BUILD)/asan
endif
PROGRAM := $(BUILD)/vitrine
endif

# Deferred, so that they are asked only when something is built.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
# Debian's Zydis comes without a .pc file.
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lZydis -lZycore -lreadline
ALL_CFLAGS = $(WARN) $(BASE) $(CFLAGS) $(SAN) $(PKG_CFLAGS)

CORE := $(addprefix emu/,field.c clock.c event.c bus.c device.c log.c surface.c)
DEVICES := $(wildcard devices/*.c)
REST := $(filter-out $(CORE) emu/main.c,$(wildcard emu/*.c emu/boot/*.c \
        emu/x86/*.c accel/*/*.c devices/host/*.c monitor/*.c))
SOURCES := emu/main.c $(CORE) $(DEVICES) $(REST)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

# What tests share is an archive: each takes what it needs.
SUPPORT := $(filter-out $(wildcard tests/*/test_*.c tests/*/fuzz_*.c), \
        $(wildcard tests/*/*.c))
TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

# Sub-makes run in parallel, unless the user has said how many already.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
AGAIN = +@$(MAKE) --no-print-directory $(PARALLEL)

.PHONY: all demo check lint format layers asan fuzz bench install uninstall deps \
        man clean help guests tests fuzzers objects checked compile_commands.json
.DEFAULT_GOAL := all

all: $(PROGRAM)

# --- Building ----------------------------------------------------------------

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/emu/boot/rom.o: emu/boot/rom.S

$(BUILD)/core.a: $(call obj,$(CORE))
$(BUILD)/devices.a: $(call obj,$(DEVICES))
$(BUILD)/rest.a: $(call obj,$(REST))
$(BUILD)/support.a: $(call obj,$(SUPPORT))
%.a:
	@rm -f $@
	@ar rcs $@ $^

LIBS := $(BUILD)/rest.a $(BUILD)/devices.a $(BUILD)/core.a
LINK = $(CC) $(CFLAGS) $(SAN) -pthread -o $@ $(filter %.o,$^) \
       -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(BUILD)/vitrine: $(BUILD)/emu/main.o $(LIBS)
	@echo "  LD  $@"
	@$(LINK) $(PKG_LIBS) -lm

ifndef SANITIZE
# A running vitrine keeps its old file.
vitrine: $(BUILD)/vitrine
	@cp --remove-destination $< $@
endif

# Device tests need no CPU and no board: they link without rest.a.
$(BUILD)/tests/devices/test_%: $(BUILD)/tests/devices/test_%.o \
        $(BUILD)/support.a $(BUILD)/devices.a $(BUILD)/core.a
	@echo "  LD  $@"
	@$(LINK) -lcunit -lm

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/support.a $(LIBS)
	@echo "  LD  $@"
	@$(LINK) $(PKG_LIBS) -lcunit -lm

ifeq ($(SANITIZE),fuzz)
# Watching every comparison makes the CPU ten times slower, and helps nobody.
$(BUILD)/emu/x86/%.o $(BUILD)/accel/%.o $(BUILD)/tests/support/%.o: \
        SAN += -fno-sanitize-coverage=trace-cmp
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o \
        $(BUILD)/support.a $(LIBS)
	@echo "  LD  $@"
	@$(LINK) -fsanitize=fuzzer $(PKG_LIBS) -lm
endif

tests: $(TESTS)
fuzzers: $(FUZZERS)

# What belongs to another tree below $(BUILD) is not for this make.
-include $(shell find $(BUILD) -name '*.d' -not -path '$(BUILD)/asan/*' \
        -not -path '$(BUILD)/fuzz/*' -not -path '$(BUILD)/guests/*' 2>/dev/null)
include guests/guests.mk

# Named here, no object is an intermediate file, which make would remove.
objects: $(call obj,$(SOURCES) $(SUPPORT)) $(TESTS:=.o) $(FUZZERS:=.o)

# --- Installing what is needed ------------------------------------------------

deps:
	@.ci/deps.sh build test

# --- Showing ------------------------------------------------------------------

demo:
	@.ci/deps.sh build
	$(AGAIN) vitrine build/guests/tour.img
	@guests/demo.sh ./vitrine build/guests/tour.img

bench:
	@.ci/deps.sh build
	$(AGAIN) vitrine guests
	@tests/bench/bench.py

# --- Testing ------------------------------------------------------------------

checked: $(PROGRAM) tests guests

# SANITIZE=1 checks the sanitised tree. The fuzzers are one tree for both.
check:
	@.ci/deps.sh build test
	$(AGAIN) checked
	+@if .ci/deps.sh --have fuzz; then $(MAKE) --no-print-directory \
	    $(PARALLEL) CC=clang SANITIZE=fuzz fuzzers; fi
	@tests/run --build $(BUILD) --vitrine $(PROGRAM) $(CHECK)

asan:
	+@$(MAKE) --no-print-directory SANITIZE=1 check

fuzz:
	@.ci/deps.sh build test fuzz
	$(AGAIN) CC=clang SANITIZE=fuzz fuzzers
	@tests/run --build $(BUILD) --fuzz $(FUZZ_SECONDS)

layers:
	@.ci/deps.sh build
	$(AGAIN) $(PROGRAM)
	@tests/layers.py --build $(BUILD)

lint: compile_commands.json
	@.ci/deps.sh build test lint
	@tests/lint.py

# Formats everything but tables, which are laid out by hand.
format:
	@.ci/deps.sh lint
	@tests/format.py --write

compile_commands.json:
	@tests/support/compile_commands.py '$(CC) $(ALL_CFLAGS)' \
	    $(SOURCES) $(wildcard tests/*/*.c) >$@

# --- Installing ---------------------------------------------------------------

man: $(PROGRAM)
	@./$(PROGRAM) -generate-man >docs/vitrine.1

install: vitrine
	install -D -m 755 vitrine $(DESTDIR)$(PREFIX)/bin/vitrine
	install -D -m 644 docs/vitrine.1 \
	    $(DESTDIR)$(PREFIX)/share/man/man1/vitrine.1
	install -D -m 644 COPYING $(DESTDIR)$(PREFIX)/share/doc/vitrine/COPYING
	install -D -m 644 README.md \
	    $(DESTDIR)$(PREFIX)/share/doc/vitrine/README.md

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/vitrine \
	    $(DESTDIR)$(PREFIX)/share/man/man1/vitrine.1 \
	    $(DESTDIR)$(PREFIX)/share/doc/vitrine/COPYING \
	    $(DESTDIR)$(PREFIX)/share/doc/vitrine/README.md
	-rmdir $(DESTDIR)$(PREFIX)/share/doc/vitrine

clean:
	rm -rf $(BUILD) vitrine compile_commands.json

help:
	@echo 'make            the emulator, ./vitrine (same as make all)'
	@echo 'make demo       builds, then takes the tour of a PC'
	@echo 'make check      every test; CHECK=WORD: those named like that'
	@echo 'make asan       make check of a build under ASan and UBSan'
	@echo 'make fuzz       libFuzzer, FUZZ_SECONDS=600 over all harnesses'
	@echo 'make lint       format, clang-tidy, cppcheck, scripts'
	@echo 'make format     does what lint asks for in layout'
	@echo 'make layers     who includes whom, and who keeps state'
	@echo 'make bench      vitrine, QEMU and Bochs on the same guest'
	@echo 'make guests     what guests/ builds without packages'
	@echo 'make guest-linux guest-linux32 guest-images   and with them'
	@echo 'make install uninstall   below PREFIX=$(PREFIX), DESTDIR='
	@echo 'make deps       installs what building and testing need'
	@echo 'make man        docs/vitrine.1, from the table of options'
	@echo 'make compile_commands.json   for editors and clang-tidy'
	@echo 'make clean      removes everything that was built'
