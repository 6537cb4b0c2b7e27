#!/usr/bin/env python3
"""64-bit Linux by -kernel: its self-test, power-off, its complaints, and the
interrupt hardware that it uses only when it is told to."""

import re

import guest

# What QEMU's own boot warns about with the same kernel.
KNOWN = re.compile(
    "fail to add MMCONFIG information|reboot: Power down|"
    "smpboot: weird, boot CPU .* not listed by the BIOS|"
    "ACPI: setting ELCR to|hpet_acpi_add: no address or irqs")


def boot(*words):
    """Boots with these words on the command line; the machine, ended."""
    kernel = guest.made("linux", "vmlinuz")
    initrd = guest.made("linux", "initrd.gz")
    line = " ".join(("console=ttyS0 panic=-1",) + words)
    with guest.Machine("-kernel", kernel, "-initrd", initrd, "-append", line,
                       memory=256) as machine:
        machine.seconds = machine.wait_for("guest: self-test passed", 30)
        status = machine.status(10)
    guest.expect(status == 0, f"status {status}")
    return machine


def self_test_and_power_off(_):
    machine = boot()
    text = "\n".join(machine.lines())
    for name in ("cpuinfo", "mount", "dd", "sha256", "fork"):
        guest.expect(f"guest: {name} ok" in text, f"{name} failed")
    return f"{machine.seconds:.1f} s to the end of the self-test"


def no_warning_that_qemu_does_not_give(_):
    machine = boot("loglevel=5", "vitrine.test=mount")
    for line in machine.lines():
        if re.search(r"\[ *\d+\.\d{6}\] ", line):
            guest.expect(KNOWN.search(line), f"the kernel says: {line}")


def without_local_apic(_):
    boot("nolapic", "loglevel=5", "vitrine.test=fork")


def without_ioapic(_):
    boot("noapic", "loglevel=5", "vitrine.test=fork")


def by_hpet_and_8259(_):
    """The tick is then an edge on the 8259A that must not get lost."""
    boot("noapic", "nolapic_timer", "clocksource=acpi_pm",
         "vitrine.test=mount")


def by_8254_and_8259(_):
    boot("nolapic", "noapic", "hpet=disable", "vitrine.test=mount")


def typed_at_over_serial(_):
    kernel = guest.made("linux", "vmlinuz")
    initrd = guest.made("linux", "initrd.gz")
    with guest.Machine("-kernel", kernel, "-initrd", initrd, "-append",
                       "console=ttyS0 quiet panic=-1 vitrine.shell",
                       memory=256) as machine:
        machine.wait_for("guest: shell", 30)
        machine.wait_for("# ", 10)
        machine.type("echo $((6 * 7))-answer\n")
        machine.wait_for("42-answer", 10)
        machine.type("poweroff -f\n")
        status = machine.status(10)
    guest.expect(status == 0, f"status {status}")


if __name__ == "__main__":
    guest.main("guests/linux", [
        self_test_and_power_off,
        no_warning_that_qemu_does_not_give,
        without_local_apic,
        without_ioapic,
        by_hpet_and_8259,
        by_8254_and_8259,
        typed_at_over_serial,
    ])
