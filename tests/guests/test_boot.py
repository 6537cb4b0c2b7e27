#!/usr/bin/env python3
"""Booting as from a shelf: SeaBIOS, a boot loader from CD, disk and floppy,
and what they load; multiboot by -kernel; OVMF; memtest86+."""

import glob
import hashlib
import os
import re

import guest


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def bench_by_kernel(_):
    with guest.Machine("-kernel", guest.built("bench.elf"), "-append",
                       "only=sha256,int80") as machine:
        machine.wait_for("BENCH DONE", 10)
        guest.expect(b"END sha256" in machine.output and
                     b"END int80" in machine.output, "a workload is missing")


def bench_by_grub_from_cd(_):
    with guest.Machine("-cdrom", guest.images("grub-bench.iso")) as machine:
        machine.wait_for("Welcome to GR", 10)
        return f"{machine.wait_for('BENCH DONE', 20):.1f} s"


def linux_by_grub_from_cd(_):
    with guest.Machine("-cdrom", guest.images("grub.iso"),
                       memory=256) as machine:
        seconds = machine.wait_for("guest: self-test passed", 40)
        status = machine.status(10)
    guest.expect(status == 0, f"status {status}")
    return f"{seconds:.1f} s"


def linux_by_grub_iso_as_disk(_):
    """The same image has an MBR, for USB sticks."""
    with guest.Machine("-drive", "format=raw,snapshot=on,file=" +
                       guest.images("grub.iso"), memory=256) as machine:
        machine.wait_for("guest: self-test passed", 40)
        status = machine.status(10)
    guest.expect(status == 0, f"status {status}")


def linux_by_syslinux_from_disk(_):
    disk = guest.images("disk.img")
    before = digest(disk)
    with guest.Machine("-drive", "format=raw,snapshot=on,file=" + disk,
                       memory=256) as machine:
        machine.wait_for("SYSLINUX", 10)
        seconds = machine.wait_for("guest: self-test passed", 40)
        status = machine.status(10)
    guest.expect(status == 0, f"status {status}")
    guest.expect(digest(disk) == before, "snapshot=on has changed the image")
    return f"{seconds:.1f} s"


def bench_by_syslinux_from_floppy(_):
    with guest.Machine("-fda", guest.images("floppy.img")) as machine:
        machine.wait_for("SYSLINUX", 10)
        return f"{machine.wait_for('BENCH DONE', 30):.1f} s"


def memtest(name):
    """Its first tests, on the serial console. -kernel it is, since on the ISO
    there is nobody to choose the serial console."""
    folders = ("/boot", "/usr/lib/memtest86+")
    found = [path for folder in folders
             for path in glob.glob(os.path.join(folder, name))]
    if not found:
        raise guest.Skip(f"{name} is missing: the package memtest86+")
    with guest.Machine("-kernel", found[0], "-append", "console=ttyS0,115200",
                       memory=16) as machine:
        # It writes every two seconds only, so one or the other gets missed.
        seconds = machine.wait_for(r"#([6-9]|10) +\[", 40)
        number = machine.match[1].decode()
        errors = set(re.findall(rb"Errors: *(\d+)", machine.output))
        guest.expect(errors == {b"0"}, f"errors: {errors}\n{machine.tail()}")
    return f"{seconds:.1f} s to test {number}"


def memtest_64(_):
    return memtest("memtest86+x64.bin")


def memtest_32(_):
    return memtest("memtest86+ia32.bin")


def ovmf_shell(_):
    firmware = "/usr/share/ovmf/OVMF.fd"
    if not os.path.exists(firmware):
        raise guest.Skip(f"{firmware} is missing: the package ovmf")
    with guest.Machine("-bios", firmware, memory=256) as machine:
        machine.wait_for("UEFI Interactive Shell", 60)
        seconds = machine.wait_for("Shell> ", 20)
        machine.forget()
        machine.type("ver\r")
        machine.wait_for("EDK II", 20)
        machine.wait_for("Shell> ", 20)
        machine.type("reset -s\r")
        status = machine.status(20)
    guest.expect(status == 0, f"status {status} after reset -s")
    return f"{seconds:.1f} s, 5 of them its countdown"


def debian_installer_32(_):
    if not guest.LONG:
        raise guest.Skip("takes a minute: VITRINE_LONG=1")
    kernel = guest.made("linux32", "vmlinuz")
    initrd = guest.made("linux32", "initrd.gz")
    with guest.Machine("-kernel", kernel, "-initrd", initrd, "-append",
                       "console=ttyS0 priority=low", memory=512) as machine:
        machine.wait_for("Run /init", 40)
        seconds = machine.wait_for("Select a language|Choose language", 60)
    return f"{seconds:.1f} s"


if __name__ == "__main__":
    guest.main("guests/boot", [
        bench_by_kernel,
        bench_by_grub_from_cd,
        linux_by_grub_from_cd,
        linux_by_grub_iso_as_disk,
        linux_by_syslinux_from_disk,
        bench_by_syslinux_from_floppy,
        memtest_64,
        memtest_32,
        ovmf_shell,
        debian_installer_32,
    ])
