# The teaching guests, built from source with nothing but gcc and binutils.
# Included by the top Makefile. Everything goes to build/guests.
#
#   make guests          tour.img, bench.elf, bench-native
#   make guest-linux     a 64-bit Linux and a busybox initramfs (packages)
#   make guest-linux32   the 32-bit Debian installer (packages)
#   make guest-images    an ISO, a hard disk and a floppy to boot from

GUESTS := build/guests
GUEST_OBJ := $(GUESTS)/obj

# The same objects are linked into the guest and into a host program. Nothing
# that the compiler might do in one of them only, or in one version only:
# no builtins, no vectors of its own invention, no PIE. A function has 1 KiB to
# itself, so that no hot loop crosses a page by accident: QEMU's TCG is 20 times
# slower on one that does, and which one does would change with every edit.
GUEST_CFLAGS := -std=c11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -Wstrict-prototypes -Wmissing-prototypes -Wvla -I. -MMD -MP \
        -march=x86-64 -m64 -ffreestanding -fno-pic -mno-red-zone \
        -fno-builtin -fno-tree-vectorize -fno-tree-slp-vectorize \
        -fno-tree-loop-distribute-patterns -fno-stack-protector \
        -fcf-protection=none -fno-asynchronous-unwind-tables \
        -fno-strict-aliasing -ffp-contract=off -falign-functions=1024

BENCH_WORK := $(patsubst %,$(GUEST_OBJ)/%.o,workloads work_integer \
        work_memory work_code work_float)
BENCH_KERNEL := $(patsubst %,$(GUEST_OBJ)/%.o,boot bench system)
GUEST_PROGRAMS := $(GUESTS)/tour.img $(GUESTS)/bench.elf \
        $(GUESTS)/bench-native

.PHONY: guests guest-linux guest-linux32 guest-images

guests: $(GUEST_PROGRAMS)

$(GUESTS)/tour.img: guests/tour/tour.S $(wildcard guests/tour/*.inc)
	@mkdir -p $(GUEST_OBJ)
	@echo "  AS  $@"
	@gcc -c -m64 -o $(GUEST_OBJ)/tour.o $<
	@ld -m elf_x86_64 -Ttext=0x7c00 -e _start --oformat binary -o $@.tmp \
	    $(GUEST_OBJ)/tour.o
	@truncate -s 1474560 $@.tmp
	@mv $@.tmp $@

$(GUEST_OBJ)/%.o: guests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@gcc $(GUEST_CFLAGS) -c -o $@ $<

# The kernel's own code must do without SSE: the registers are the workloads'.
$(GUEST_OBJ)/bench.o $(GUEST_OBJ)/system.o: GUEST_CFLAGS += -mgeneral-regs-only

$(GUEST_OBJ)/boot.o: guests/bench/boot.S
	@mkdir -p $(@D)
	@echo "  AS  $<"
	@gcc -c -m64 -o $@ $<

$(GUESTS)/bench.elf: $(BENCH_KERNEL) $(BENCH_WORK) guests/bench/link.ld
	@echo "  LD  $@"
	@ld -m elf_x86_64 -nostdlib -z max-page-size=0x1000 -z noexecstack \
	    --no-warn-rwx-segments -T guests/bench/link.ld \
	    -o $(GUEST_OBJ)/bench64.elf $(filter %.o,$^)
	@objcopy -O elf32-i386 $(GUEST_OBJ)/bench64.elf $@

$(GUESTS)/bench-native: guests/bench/native.c $(BENCH_WORK)
	@echo "  LD  $@"
	@gcc -std=c11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror \
	    -D_GNU_SOURCE -I. -no-pie -o $@ $< $(filter %.o,$^)

guest-linux:
	@guests/linux/make.sh $(GUESTS)/linux

guest-linux32:
	@guests/linux32/make.sh $(GUESTS)/linux32

guest-images: guests guest-linux
	@guests/images/make.sh $(GUESTS)/images

-include $(wildcard $(GUEST_OBJ)/*.d)
