#!/bin/sh
# Makes things to boot from, out of the guests and of packages. See README.md.
#
#     guests/images/make.sh [OUT]         (default: build/guests/images)
#
#   grub.iso        GRUB: a menu of Linux, bench and what else is there; also
#                   a hard disk image (it has an MBR)
#   grub-bench.iso  GRUB: loads bench.elf by multiboot at once, no menu
#   disk.img        hard disk: MBR, active FAT16 partition, SYSLINUX, Linux
#   floppy.img      1.44 MB: FAT12, SYSLINUX, bench.elf by mboot.c32, memtest
#   memtest64.iso, memtest32.iso, invaders.exec     as they are packaged
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../build/guests/images}
. "$here/../packages.sh"

mkdir -p "$out"
out=$(cd "$out" && pwd)
guests=$(cd "$out/.." && pwd)
linux=$guests/linux
[ -s "$guests/bench.elf" ] || die "$guests/bench.elf is missing: make guests"
[ -s "$linux/vmlinuz" ] || die "$linux/vmlinuz is missing: make guest-linux"

if [ "$out/floppy.img" -nt "$here/make.sh" ] &&
    [ "$out/floppy.img" -nt "$guests/bench.elf" ] &&
    [ "$out/floppy.img" -nt "$linux/initrd.gz" ]; then
    say "$out is up to date"
    exit 0
fi

need grub-mkrescue grub-common
need /usr/lib/grub/i386-pc/multiboot.mod grub-pc-bin
need xorriso xorriso
need mformat mtools
need sfdisk fdisk
need syslinux syslinux
need /usr/lib/syslinux/modules/bios/mboot.c32 syslinux-common
need /usr/lib/memtest86+/memtest86+x64.iso memtest86+
need /boot/invaders.exec grub-invaders

modules=/usr/lib/syslinux/modules/bios
linux_args="console=tty0 console=ttyS0 panic=-1"
bench_only="only=sha256,int80"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

grub_iso() {
    mkdir -p "$work/$1/boot/grub"
    cat >"$work/$1/boot/grub/grub.cfg"
    grub-mkrescue -o "$work/$1.iso" "$work/$1" 2>"$work/log" >&2 ||
        die "grub-mkrescue: $(tail -n 1 "$work/log")"
    mv "$work/$1.iso" "$out/$1.iso"
    say "$out/$1.iso"
}

mkdir -p "$work/grub/boot" "$work/grub-bench/boot"
cp "$linux/vmlinuz" "$linux/initrd.gz" "$guests/bench.elf" \
    /boot/invaders.exec /boot/memtest86+x64.bin "$work/grub/boot/"
cp "$guests/bench.elf" "$work/grub-bench/boot/"

grub_iso grub <<END
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=2
set default=linux
menuentry "Linux and busybox: self-test" --id linux {
    linux /boot/vmlinuz $linux_args
    initrd /boot/initrd.gz
}
menuentry "Linux and busybox: a shell" --id shell {
    linux /boot/vmlinuz $linux_args vitrine.shell
    initrd /boot/initrd.gz
}
menuentry "bench, by multiboot" --id bench {
    multiboot /boot/bench.elf $bench_only
}
menuentry "GRUB Invaders, by multiboot" --id invaders {
    terminal_output console
    multiboot /boot/invaders.exec
}
menuentry "Memtest86+" --id memtest {
    linux /boot/memtest86+x64.bin console=ttyS0,115200
}
END

grub_iso grub-bench <<END
set timeout=0
multiboot /boot/bench.elf $bench_only
boot
END

# A hard disk of 64 MiB, its only partition from 1 MiB on. -H is the number of
# sectors before the partition: the boot sector reads from there.
disk=$work/disk.img
truncate -s 64M "$disk"
printf '2048,,e,*\n' | sfdisk -q "$disk"
mformat -i "$disk@@1M" -T 129024 -h 255 -s 63 -H 2048 -v VITRINE
cat >"$work/syslinux.cfg" <<END
SERIAL 0 115200
DEFAULT linux
LABEL linux
  KERNEL vmlinuz
  APPEND initrd=initrd.gz $linux_args
LABEL shell
  KERNEL vmlinuz
  APPEND initrd=initrd.gz $linux_args vitrine.shell
END
mcopy -i "$disk@@1M" "$linux/vmlinuz" "$linux/initrd.gz" \
    "$work/syslinux.cfg" ::
syslinux --install --offset 1048576 "$disk"
dd if=/usr/lib/SYSLINUX/mbr.bin of="$disk" conv=notrunc bs=440 count=1 \
    2>/dev/null
mv "$disk" "$out/disk.img"
say "$out/disk.img"

floppy=$work/floppy.img
truncate -s 1474560 "$floppy"
mformat -i "$floppy" -f 1440 -v VITRINE
cat >"$work/syslinux.cfg" <<END
SERIAL 0 115200
DEFAULT bench
LABEL bench
  KERNEL mboot.c32
  APPEND bench.elf $bench_only
LABEL memtest
  KERNEL memtest
END
cp /boot/memtest86+x64.bin "$work/memtest"
mcopy -i "$floppy" "$guests/bench.elf" "$work/memtest" \
    "$modules/mboot.c32" "$modules/libcom32.c32" "$work/syslinux.cfg" ::
syslinux --install "$floppy"

cp /usr/lib/memtest86+/memtest86+x64.iso "$out/memtest64.iso"
cp /usr/lib/memtest86+/memtest86+ia32.iso "$out/memtest32.iso"
cp /boot/invaders.exec "$out/invaders.exec"
mv "$floppy" "$out/floppy.img"
say "$out/floppy.img, memtest64.iso, memtest32.iso, invaders.exec"
