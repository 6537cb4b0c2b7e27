#!/usr/bin/env python3
"""Scripts for the monitor on the tour, and that every command has a test:
its full name stands at the start of a line of a script somewhere here."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VITRINE = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                          os.environ.get("VITRINE", ROOT + "/vitrine"))
TOUR = ROOT + "/build/guests/tour.img"


def run(script):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t.vit")
        image = shutil.copy(TOUR, folder)  # others may be running it
        with open(path, "w") as file:
            file.write(script)
        done = subprocess.run(
            [VITRINE, "-fda", image, "-display", "none", "-monitor",
             "script:" + path], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout.decode("utf-8", "replace")


# (name, script, exit status, patterns of its output in this order)
TESTS = [
    ("break_and_step", """
tbreak 0x7c00
continue
where
assert ip == 0x7c00 && cs == 0 && bits == 16
step
assert ip == 0x7c01 && !if
next
until 0x7c07
assert ip == 0x7c07
info breakpoints
""", 0, [r"breakpoint 1, 0x7c00", r"cli", r"if=0", r"xor ax, ax",
         r"no breakpoints"]),
    ("mode_and_control_registers", """
break on mode
continue
assert pe && bits == 16
step
assert bits == 32
delete
break on cr-write 0 if value & 0x80000000
continue
assert pg
disable 2
enable 2
ignore 2 1
info breakpoints
delete 2
break on exception 13
continue
finish
""", 0, [r"from real mode to protected mode", r"jmp far", r"passes 1 more",
         r"#GP", r"64-bit mode"]),
    ("watchpoints", """
pbreak 0x7c00
continue
delete
watch byte 0x500
continue
assert byte [0x500] == 0xEF || byte [0x500] != 0
delete
rwatch phys byte 0x500
continue
delete
awatch dword 0x500
""", 0, [r"breakpoint 1, physical 0x7c00", r"watchpoint 2.*write of",
         r"watchpoint 3.*read of"]),
    ("to_the_end", """
events on pio
trace on exits to trace.jsonl
break on hlt
tbreak 0x7c00
continue
trace off
events 3 pio
continue
info exits
assert exits pio >= 3
""", 0, [r" pio ", r"sensitive", r"in \d+ instructions"]),
    ("machine", """
out 0x80 0x12
in 0x64
sendkey ctrl-a
screendump s.ppm
system_powerdown
system_reset
assert rip == 0xFFF0
stop
echo hello
help step
print 2 * 3
source nosuch
""", 1, [r"port 0x0064", r"s.ppm: \d+ x \d+", r"hello", r"step \[COUNT\]",
         r"0x6 = 6", r"error: nosuch", r":13: failed"]),
    ("looking_at_the_cpu_in_compatibility_mode", """
break on cr-write 0 if value & 0x80000000
continue
continue
delete
step 3
where
info registers
info control
info segments
info fpu
info sse
info msrs
info debug-registers
info gdt
info ldt
info idt
info tss
info ivt
info cpus
info status
info version
stack 4
backtrace 4
why
""", 0, [r"compatibility mode", r"RAX=0000000080010011 RBX=",
         r"CR0=80010011", r"protection enable", r"CS +0008 .*code32",
         r"FCW=0[03][47][0F]", r"MXCSR=00001f80", r"IA32_TIME_STAMP_COUNTER",
         r"DR0=0{16} off", r"GDT at 0{12}7e60, limit 57", r"0010 code64",
         r"no LDT", r"IDT at 0{12}2100, limit ff",
         r"no task register was loaded", r"IVT at 0{8}, limit 3ff",
         r"CPU #0: interp, pc=0x0{12}8[0-9a-f]{3}, CPL 0", r"VM status: paused",
         r"vitrine \d", r"0{12}7bf8: 0x0000895c", r"#0 +00008",
         r"#GP general protection, error code 0060"]),
    ("looking_at_memory_and_paging", """
break on cr-write 0 if value & 0x80000000
continue
continue
delete
info mem
info tab
info tlb 0x400000
walk 0x7c00
walk 0xfffff000
x/4xb 0x7c00
x/2i 0x7c00
xp/1xw 0x7c00
disassemble 0x7c00 3
setmem 0x600 0x1234 2
setpmem 0x602 0x5678 2
x/1xw 0x600
memsave 0x600 4 a.bin
memload 0x610 a.bin
x/1xw 0x610
pmemsave 0x600 4 b.bin
pmemload 0x620 b.bin
xp/1xw 0x620
search 0x600 64 34 12
""", 0, [r"0{16}-0{10}200000 0{10}200000 -rw",
         r"0{16}-0{10}200000 0{10}200000 -rw", r"0{10}400000: ",
         r"4-level paging, CR3=0000013000", r"PML4E \[  0\]",
         r"fails: P is 0 in the PDPTE", r"7c00: 0xfa 0x31 0xc0 0x8e",
         r"fa +cli", r"7c00: 0x8ec031fa", r"31 c0 +xor eax, eax",
         r"0600: 0x56781234", r"4 bytes saved to a.bin",
         r"0610: 0x56781234", r"4 bytes loaded", r"0620: 0x56781234",
         r"0{13}600"]),
    ("looking_at_the_board", """
tbreak 0x7c00
continue
info mtree
info pci
info qtree
info device pit
info pic
info apic
info ioapic
info pit
info rtc
info ide
info vga
info hpet
info fdc
info timers
""", 0, [r"address-space: memory", r"i440fx: 8086:1237 class 0600",
         r"i440fx, 82441FX", r"pit: i8254", r"pic0: irr=", r"lapic0: base=",
         r"ioapic: id=", r"pit: i8254", r"rtc: mc146818",
         r"ide: piix3-ide", r"vga: vga", r"hpet: hpet", r"fdc: i82077",
         r"virtual time \d+ ns"]),
    ("tap", """
tap on
assert 1 == 1
assert rip == 1
""", 1, [r"ok 1 - 1 == 1", r"not ok 2 - rip == 1", r"1\.\.2"]),
    ("quit_has_a_status", "quit 7\n", 7, []),
    ("symbols_of_no_elf", "symbols t.vit\n", 1, [r"no ELF file"]),
]


def check(script, status, patterns):
    got, text = run(script)
    if got != status:
        return f"status {got}, not {status}:\n{text}"
    at = 0
    for pattern in patterns:
        match = re.compile(pattern).search(text, at)
        if not match:
            return f"lacks {pattern} from byte {at} on:\n{text}"
        at = match.start()
    return ""


def untested():
    """Commands whose full name begins no line of a test."""
    text = ""
    for path in glob.glob(HERE + "/*"):
        if os.path.isfile(path):
            with open(path, errors="replace") as file:
                text += file.read()
    _, listed = run("help\n")
    known = []
    for line in listed.splitlines()[1:]:
        name = re.match(r"[a-z_]+( [a-z_-]+)?(?= )", line)
        if name:
            known.append(re.match(r"(info [a-z_-]+|[a-z_]+)", line)[0])
    missing = [k for k in known
               if not re.search(r'(?m)(^|["(])' + re.escape(k) + r"\b", text)]
    if len(known) < 30:
        return f"help lists only {len(known)} commands:\n{listed}"
    return "no test for: " + ", ".join(missing) if missing else ""


def main():
    results = [(name, check(*rest)) for name, *rest in TESTS]
    results.append(("every_command_has_a_test", untested()))
    failed = 0
    for name, error in results:
        print(f"{name}: {'FAILED: ' + error if error else 'passed'}")
        failed += bool(error)
    print(f"RESULT monitor/shell: {len(results) - failed} passed, "
          f"{failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
