#!/bin/sh
# Bad input from the command line: each must give exactly one line on stderr
# that has the right words, nothing on stdout, and exit status 1. Good input:
# -help and its like give status 0 and say what they should.
#
# usage: tests/cli/run.sh [./vitrine]

vitrine=${1:-./vitrine}
case $vitrine in
/*) ;;
*) vitrine=$PWD/$vitrine ;;
esac
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
passed=0
failed=0

complain() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    [ -s err ] && sed 's/^/    stderr: /' err
    [ -s out ] && head -5 out | sed 's/^/    stdout: /'
}

# refused 'WORDS' ARGUMENTS...: WORDS is a basic regular expression.
refused() {
    words=$1
    shift
    timeout 20 "$vitrine" "$@" >out 2>err </dev/null
    status=$?
    what="vitrine $*"
    if [ $status -ne 1 ]; then
        complain "$what: status $status, not 1"
    elif [ "$(wc -l <err)" -ne 1 ]; then
        complain "$what: not exactly one line"
    elif [ -s out ]; then
        complain "$what: something on stdout"
    elif ! grep -q "^vitrine: " err || ! grep -q -e "$words" err; then
        complain "$what: the line lacks \"$words\""
    else
        passed=$((passed + 1))
    fi
}

# answers 'WORDS' ARGUMENTS...: status 0, words on stdout, stderr empty.
answers() {
    words=$1
    shift
    timeout 20 "$vitrine" "$@" >out 2>err </dev/null
    status=$?
    if [ $status -ne 0 ] || [ -s err ] || ! grep -q -e "$words" out; then
        complain "vitrine $*: status $status, or lacks \"$words\""
    else
        passed=$((passed + 1))
    fi
}

# Files to be refused.
byte() { printf "\\$(printf %03o "$1")"; }
zeros() { head -c "$1" /dev/zero; }
: >empty
echo "just text" >text
mkdir directory
mkfifo fifo
zeros 4096 >zeros
# A bzImage: 4 setup sectors, claims 64 KiB of kernel, has 1 KiB.
{
    zeros 497; byte 4; zeros 2; printf '\000\020\000\000'; zeros 6
    printf '\125\252'; zeros 2; printf 'HdrS'; printf '\012\002'; zeros 9
    byte 1; zeros 100
} >bz.start
{ cat bz.start; zeros $((2560 - $(wc -c <bz.start))); zeros 1024; } >bz.short
{ cat bz.start; zeros $((2560 - $(wc -c <bz.start))); zeros 65536; } >bz.good
# An ELF64 multiboot kernel whose segment claims 2^63 bytes.
elf() { # elf FILE_SIZE_FIELD MEMORY_SIZE_FIELD (8 bytes each, escaped)
    printf '\177ELF\002\001\001'; zeros 9
    printf '\002\000\076\000\001\000\000\000'
    printf '\000\000\020\000\000\000\000\000' # entry 1 MiB
    printf '\100\000\000\000\000\000\000\000' # program headers at 64
    zeros 12
    printf '\100\000\070\000\001\000'; zeros 6
    printf '\001\000\000\000\005\000\000\000'
    printf '\000\000\000\000\000\000\000\000'
    printf '\000\000\020\000\000\000\000\000' # virtual 1 MiB
    printf '\000\000\020\000\000\000\000\000' # physical
    printf "$1"; printf "$2"; zeros 8
    printf '\002\260\255\033\000\000\000\000\376\117\122\344' # the header
    zeros 500
}
huge='\000\000\000\000\000\000\000\200'
small='\000\001\000\000\000\000\000\000'
elf "$huge" "$huge" >elf.file
elf "$small" "$huge" >elf.memory
elf "$small" "$small" >elf.good
head -c 140 elf.good >elf.short

# Options.
refused 'no such option.*nearest is -serial' -seral stdio
refused 'no such option.*nearest is -nographic' --nographics
refused '-kernel: needs a value' -kernel
refused 'given twice' -m 64 -m 128
refused 'not built in this version; use -accel interp' -accel kvm
refused 'not built in this version; use -accel interp' -machine pc,accel=tcg
refused 'no board "q35"' -machine q35
refused 'one CPU so far' -smp 4
refused 'only tcp:.*and unix:' -gdb stdio
refused 'is not stdio, script:FILE or none' -monitor vc
refused 'only one can have the terminal' -monitor stdio -serial stdio
refused 'both take the terminal' -monitor stdio -nographic
refused 'needs a -monitor' -symbols x.elf
refused 'use -net none' -net user
refused '-device help' -device virtio-net-pci
refused '-d help' -d everything
refused 'is not a UUID' -uuid 1
refused '0 to 10' -icount shift=99
refused '-append needs a -kernel' -append x
refused 'no -chardev has this id' -serial chardev:x

# Memory.
refused 'try -m 128' -m 0
refused 'try -m 1G' -m 9999999G
refused 'try -m 1G' -m 99999999999999999999999999
refused 'is not a size' -m lots
refused 'is not a size' -m -1

# Kernels.
refused 'not a file' -kernel /dev/urandom
refused 'not a file' -kernel /dev/zero
refused 'not a file' -kernel fifo
refused 'is a directory' -kernel directory
refused 'No such file' -kernel missing
refused 'is empty' -kernel empty
refused 'neither a Linux bzImage nor a multiboot' -kernel text
refused 'neither a Linux bzImage nor a multiboot' -kernel zeros
refused 'cut short' -kernel bz.short
refused 'cut short' -kernel elf.short
refused 'elf.file: .*cut short' -kernel elf.file
refused 'below 4 GiB' -kernel elf.memory
refused 'larger -m' -kernel bz.good -m 2
refused 'larger -m' -kernel elf.good -m 1
refused 'shorten it' -kernel bz.good -append "$(head -c 300 /dev/zero |
    tr '\0' x)"
refused '-initrd missing' -kernel bz.good -initrd missing
refused '-initrd directory is a directory' -kernel elf.good \
    -initrd 'directory a'
refused 'not a file' -kernel bz.good -initrd /dev/zero

# Images and firmware.
refused 'directory' -hda directory
refused 'missing' -hda missing
refused 'empty' -hda empty
refused 'missing' missing
refused 'missing' -drive file=missing,format=raw
refused 'missing' -cdrom missing
refused 'directory' -fda directory
refused 'directory' -cdrom directory
refused 'zero' -hda /dev/zero
refused 'urandom' -cdrom /dev/urandom
refused 'taken by -hda' -hda bz.good -drive file=bz.good,index=0
refused 'multiple of 64 KiB' -bios text
refused 'not a file' -bios /dev/zero
refused 'is a directory' -bios directory
refused 'no code at its reset vector' -bios "$(zeros 65536 >bios; echo bios)"
refused 'not found' -bios no-such-bios.bin

# Output.
refused 'cannot be written' -serial file:directory
refused '-D directory' -display none -D directory -d int
refused '-trace file=directory' -display none -trace file=directory
refused '-fw_cfg' -fw_cfg name=opt/x,file=missing
refused '-cpu' -cpu no-such-cpu

# Good input.
answers '^-kernel FILE' -help
answers '^-kernel FILE' --help
answers '^vitrine [0-9]' -version
answers 'isa-debug-exit' -device help
answers '^pc ' -machine help
answers 'interp' -accel help
answers 'qemu64' -cpu help
answers 'cpu_reset' -d help
answers '/usr/share/seabios' -L help
answers '^std' -vga help
answers '^.TH VITRINE 1' -generate-man

echo "RESULT cli: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
