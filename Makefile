# Vitrine. `make demo` shows it, `make check` tests it; both install what is
# missing first. See README.md.

CC ?= gcc
PREFIX ?= /usr/local
BUILD ?= build
CFLAGS ?= -O2 -g
PACKAGES := sdl2

WARN := -std=c11 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -Wstrict-prototypes -Wmissing-prototypes -Wvla
BASE := $(WARN) -D_GNU_SOURCE -I. -MMD -MP -fno-strict-aliasing \
        -fno-common -pthread

ifdef SANITIZE
BUILD := build/asan
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
       -fno-omit-frame-pointer -DVITRINE_NO_TAILCALL
CFLAGS := -O1 -g
endif

# Deferred, so that they are asked only when something is built.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lZydis
ALL_CFLAGS = $(BASE) $(CFLAGS) $(SAN) $(PKG_CFLAGS)

CORE := $(addprefix emu/,field.c clock.c event.c bus.c device.c log.c surface.c)
DEVICES := $(wildcard devices/*.c)
REST := $(filter-out $(CORE) emu/main.c,$(wildcard emu/*.c emu/boot/*.c \
        emu/x86/*.c accel/*/*.c devices/host/*.c monitor/*.c))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))

.PHONY: all demo check lint layers asan fuzz bench install uninstall deps \
        clean guests tests manual

all: vitrine

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/core.a: $(call obj,$(CORE))
$(BUILD)/devices.a: $(call obj,$(DEVICES))
$(BUILD)/rest.a: $(call obj,$(REST))
%.a:
	@rm -f $@
	@ar rcs $@ $^

LIBS := $(BUILD)/rest.a $(BUILD)/devices.a $(BUILD)/core.a

$(BUILD)/vitrine: $(BUILD)/emu/main.o $(LIBS)
	@echo "  LD  $@"
	@$(CC) $(CFLAGS) $(SAN) -pthread -o $@ $< -Wl,--start-group $(LIBS) \
	    -Wl,--end-group $(PKG_LIBS) -lm

vitrine: $(BUILD)/vitrine
	@cp $< $@

# Device tests need no CPU and no board: they link without rest.a.
$(BUILD)/tests/devices/test_%: $(BUILD)/tests/devices/test_%.o \
        $(BUILD)/tests/support/test.o $(BUILD)/devices.a $(BUILD)/core.a
	@echo "  LD  $@"
	@$(CC) $(CFLAGS) $(SAN) -pthread -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcunit -lm

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/support/test.o $(LIBS)
	@echo "  LD  $@"
	@$(CC) $(CFLAGS) $(SAN) -pthread -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS) -lcunit -lm

# rom.c includes it in assembly, where depfiles do not look.
$(BUILD)/emu/boot/rom.o: emu/boot/rom.S

tests: $(TESTS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
