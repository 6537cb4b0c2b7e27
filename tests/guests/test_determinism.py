#!/usr/bin/env python3
"""Under -icount a machine is a function of its inputs: two runs give the same
ledger, byte for byte, and the same serial log.

The ledger of a second is a gigabyte, so it goes through a pipe into a hash
and not to the disk."""

import hashlib
import os
import threading

import guest

CLOCKS = ("-icount", "shift=0", "-rtc", "base=2024-02-29T12:00:00")


def hashed(path, result):
    ledger, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            ledger.update(data)
            size += len(data)
    result.append((ledger.hexdigest(), size))


def run(scratch, *arguments, memory):
    """Digest and size of the ledger, serial log."""
    path = os.path.join(scratch, "ledger")
    os.mkfifo(path)
    result = []
    reader = threading.Thread(target=hashed, args=(path, result), daemon=True)
    reader.start()
    with guest.Machine(*CLOCKS, "-trace", "file=" + path,
                       *arguments, memory=memory) as machine:
        status = machine.status(60)
    reader.join(10)
    os.unlink(path)
    guest.expect(status == 0 and result, f"status {status}:\n{machine.tail()}")
    return result[0], machine.output


def twice(scratch, *arguments, memory=64):
    (first, size), log = run(scratch, *arguments, memory=memory)
    (second, _), log_again = run(scratch, *arguments, memory=memory)
    guest.expect(size > 1 << 20, f"a ledger of {size} bytes")
    guest.expect(first == second, "two runs, two ledgers")
    guest.expect(log == log_again, "two runs, two serial logs")
    return f"{size >> 20} MiB of ledger"


def tour_twice(scratch):
    return twice(scratch, "-fda", guest.built("tour.img"))


def linux_twice(scratch):
    if not guest.LONG:
        raise guest.Skip("takes a minute: VITRINE_LONG=1")
    return twice(scratch, "-kernel", guest.made("linux", "vmlinuz"),
                 "-initrd", guest.made("linux", "initrd.gz"), "-append",
                 "console=ttyS0 panic=-1 vitrine.test=fork", memory=128)


if __name__ == "__main__":
    guest.main("guests/determinism", [tour_twice, linux_twice])
