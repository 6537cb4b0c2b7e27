#!/usr/bin/env python3
"""The tour: from floppy and from disk the same transcript as everywhere, and
the ways that a guest has to end the emulator with."""

import os

import guest

TOUR = "Tour of a PC"


def transcript(machine):
    lines = machine.lines()
    first = next((i for i, line in enumerate(lines) if TOUR in line), None)
    guest.expect(first is not None, f"no tour:\n{machine.tail()}")
    lines[first] = lines[first][lines[first].index(TOUR):]
    while lines and not lines[-1]:
        lines.pop()
    return lines[first:]


def compare(*arguments):
    """The exit status of a tour that has said what it should."""
    with open(os.path.join(guest.ROOT, "guests/tour/expect.txt")) as file:
        wanted = file.read().rstrip("\n").split("\n")
    with guest.Machine(*arguments, bios_on_serial=False) as machine:
        status = machine.status(20)
        got = transcript(machine)
    for number, (a, b) in enumerate(zip(wanted, got)):
        guest.expect(a == b, f"line {number + 1} is\n  {b}\nnot\n  {a}")
    guest.expect(len(wanted) == len(got),
                 f"{len(got)} lines instead of {len(wanted)}")
    return status


def tour_from_floppy_ends_with_acpi_power_off(_):
    status = compare("-fda", guest.built("tour.img"))
    guest.expect(status == 0, f"status {status}")


def tour_from_disk_is_the_same(_):
    status = compare("-drive", "format=raw,snapshot=on,file=" +
                     guest.built("tour.img"))
    guest.expect(status == 0, f"status {status}")


def tour_under_icount_is_the_same(_):
    status = compare("-icount", "shift=0", "-fda", guest.built("tour.img"))
    guest.expect(status == 0, f"status {status}")


def debug_exit_gives_its_status(_):
    status = compare("-fda", guest.built("tour.img"), "-device",
                     "isa-debug-exit,iobase=0xf4,iosize=4")
    guest.expect(status == 33, f"status {status}, not (16 << 1) | 1")


if __name__ == "__main__":
    guest.main("guests/tour", [
        tour_from_floppy_ends_with_acpi_power_off,
        tour_from_disk_is_the_same,
        tour_under_icount_is_the_same,
        debug_exit_gives_its_status,
    ])
