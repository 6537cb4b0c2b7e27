#!/bin/sh
# Makes OUT/vmlinuz and OUT/initrd.gz: Debian's 64-bit cloud kernel and an
# initramfs that holds busybox and the init beside this script. See README.md.
#
#     guests/linux/make.sh [OUT]          (default: build/guests/linux)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../build/guests/linux}
. "$here/../packages.sh"

mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ "$out/vmlinuz" -nt "$here/make.sh" ] &&
    [ "$out/initrd.gz" -nt "$here/init" ] &&
    [ "$out/initrd.gz" -nt "$here/make.sh" ]; then
    say "$out is up to date"
    exit 0
fi
need cpio cpio
need gzip gzip
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# linux-image-cloud-amd64 is empty and depends on the kernel of the day.
kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
if [ -z "$kernel" ] && [ "$(id -u)" = 0 ]; then
    say "apt knows no linux-image-cloud-amd64: updating its lists"
    apt-get update >/dev/null 2>&1 || true
    kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
fi
[ -n "$kernel" ] || die "apt knows no linux-image-cloud-amd64: apt-get update"
fetch "$kernel" "$work/kernel"
fetch busybox-static "$work/busybox"

root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp"
cp "$work/busybox/bin/busybox" "$root/bin/busybox"
cp "$here/init" "$root/init"
chmod 755 "$root/bin/busybox" "$root/init"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort |
    cpio -o -H newc -R 0:0 --reproducible --quiet) |
    gzip -9n >"$work/initrd.gz"

cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
mv "$work/vmlinuz" "$out/vmlinuz"
mv "$work/initrd.gz" "$out/initrd.gz"
echo "$kernel" >"$out/version"
say "$out/vmlinuz is $kernel, $(wc -c <"$out/vmlinuz") bytes"
say "$out/initrd.gz has busybox, $(wc -c <"$out/initrd.gz") bytes"
