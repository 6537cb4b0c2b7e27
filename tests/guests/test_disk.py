#!/usr/bin/env python3
"""What becomes of an image: a guest (writer.S) fills it, round after round,
and the emulator is killed in the middle. Every sector must be of one piece."""

import os
import signal
import struct
import subprocess
import time

import guest

SECTORS = 1024
SECTOR = 512


def disk_with_writer(scratch):
    """An image whose boot sector is the writer."""
    source = os.path.join(guest.ROOT, "tests/guests/writer.S")
    part = os.path.join(scratch, "writer.o")
    disk = os.path.join(scratch, "disk.img")
    for command in (["gcc", "-c", "-m32", "-o", part, source],
                    ["ld", "-m", "elf_i386", "-Ttext=0x7c00", "--oformat",
                     "binary", "-e", "_start", "-o", disk, part]):
        subprocess.run(command, check=True)
    os.truncate(disk, (1 + SECTORS) * SECTOR + (1 << 20))
    return disk


def rounds(disk):
    """The round that each sector is of; fails when one is of two."""
    found = []
    with open(disk, "rb") as file:
        boot = file.read(SECTOR)
        guest.expect(boot[510:] == b"\x55\xaa", "the boot sector is gone")
        for number in range(1, SECTORS + 1):
            words = set(struct.unpack("<128I", file.read(SECTOR)))
            guest.expect(len(words) == 1, f"sector {number} is in pieces")
            word = words.pop()
            guest.expect(word == 0 or word & 0xFFFF == number,
                         f"sector {number} has {word:#x}")
            found.append(word >> 16)
        guest.expect(not any(file.read()), "something beyond what was written")
    return found


def killed(disk, options, delay):
    """Runs until a round and `delay` have passed, then kills."""
    with guest.Machine("-drive", f"format=raw,file={disk}{options}") as machine:
        machine.wait_for(r"\.", 20)
        time.sleep(delay)
        machine.process.send_signal(signal.SIGKILL)
        machine.process.wait()
        guest.expect(b"E" not in machine.output.split(b".", 1)[1],
                     "a write failed")


def kill_leaves_whole_sectors(scratch):
    disk = disk_with_writer(scratch)
    newest = []
    for trial in range(6):
        killed(disk, "", 0.05 + 0.013 * trial)
        found = rounds(disk)
        # The writer goes from the front to the back, and waits for each write:
        # old may follow new, never the other way round.
        steps = sum(1 for a, b in zip(found, found[1:]) if a != b)
        guest.expect(steps <= 1, f"{steps} borders between rounds")
        guest.expect(found[0] > 0, "nothing was written")
        newest.append(found[0])
    return f"killed in rounds {', '.join(map(str, newest))}"


def snapshot_writes_nothing(scratch):
    disk = disk_with_writer(scratch)
    with open(disk, "rb") as file:
        before = file.read()
    killed(disk, ",snapshot=on", 0.1)
    with open(disk, "rb") as file:
        guest.expect(file.read() == before, "the image has changed")


if __name__ == "__main__":
    guest.main("guests/disk", [
        kill_leaves_whole_sectors,
        snapshot_writes_nothing,
    ])
