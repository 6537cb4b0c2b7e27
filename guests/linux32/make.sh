#!/bin/sh
# Makes OUT/vmlinuz and OUT/initrd.gz: the kernel and the initrd of Debian's
# 32-bit installer (netboot, text), as they come. See README.md. The package
# has some 100 MB.
#
#     guests/linux32/make.sh [OUT]        (default: build/guests/linux32)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../build/guests/linux32}
. "$here/../packages.sh"

mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ -s "$out/vmlinuz" ] && [ "$out/initrd.gz" -nt "$here/make.sh" ]; then
    say "$out is up to date"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
fetch debian-installer-12-netboot-i386 "$work"
for file in linux initrd.gz; do
    found=$(find "$work/usr" -path '*/text/debian-installer/i386/*' \
        -name "$file" -type f | head -n 1)
    [ -n "$found" ] || die "the package has no i386/$file any more"
    name=$file
    [ "$file" = linux ] && name=vmlinuz
    cp "$found" "$work/$name"
    touch "$work/$name"
    mv "$work/$name" "$out/$name"
    say "$out/$name, $(wc -c <"$out/$name") bytes"
done
