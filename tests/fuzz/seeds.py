#!/usr/bin/env python3
"""Writes seeds for the fuzzers: what they would take days to come upon.

usage: tests/fuzz/seeds.py DIRECTORY     makes DIRECTORY/fuzz_NAME/seed-*

Checksums and magic numbers for fuzz_loaders; a snippet for each CPU mode for
fuzz_cpu; the sequence that configures a PCI device for fuzz_devices.
"""

import os
import struct
import sys

MULTIBOOT = 0x1BADB002


def multiboot_header(flags, *rest):
    return struct.pack("<III", MULTIBOOT, flags,
                       -(MULTIBOOT + flags) & 0xFFFFFFFF) + b"".join(
                           struct.pack("<I", word) for word in rest)


def kludge():
    base, size = 0x100000, 256
    header = multiboot_header(0x10003, base, base, base + size,
                              base + size + 64, base + 48, 0, 80, 25, 0)
    return header.ljust(size, b"\x90")


def elf32():
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, 0x100000, 52, 0, 0, 52, 32, 2, 40, 0, 0)
    one = struct.pack("<IIIIIIII", 1, 128, 0x100000, 0x100000, 64, 96, 7, 4096)
    two = struct.pack("<IIIIIIII", 1, 192, 0x101000, 0x101000, 32, 64, 6, 4096)
    return ((head + one + two).ljust(128, b"\0") +
            multiboot_header(3)).ljust(256, b"\x90")


def elf64():
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    one = struct.pack("<IIQQQQQQ", 1, 7, 128, 0x100000, 0x100000, 96, 128,
                      4096)
    return ((head + one).ljust(128, b"\0") +
            multiboot_header(3)).ljust(256, b"\x90")


def bzimage(sectors=1, loaded_high=1):
    data = bytearray(512 * (sectors + 1) + 1024)
    data[0x1F1] = sectors
    struct.pack_into("<I", data, 0x1F4, 64)
    data[0x1FE:0x200] = b"\x55\xaa"
    data[0x200:0x206] = b"\xeb\x62HdrS"
    struct.pack_into("<H", data, 0x206, 0x020F)
    data[0x211] = loaded_high
    struct.pack_into("<I", data, 0x22C, 0x7FFFFFFF)
    struct.pack_into("<I", data, 0x238, 2047)
    struct.pack_into("<QI", data, 0x258, 0x1000000, 0x2000000)
    return bytes(data)


def option_rom():
    rom = bytearray(512)
    rom[:3] = b"\x55\xaa\x01"
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def cpu():
    """(mode, cpl, flags, seed) and code; modes as in tests/support/rig.h."""
    code = {
        16: b"\xb8\x34\x12\x8e\xd8\xf3\xa4\x0f\xa2\xcd\x80\xf4",
        32: b"\x01\xd8\x75\x02\x0f\xb6\x03\x8e\xd8\xf3\xab\xd9\xe8\xcf\xf4",
        64: b"\x48\x01\xd8\x0f\x58\xc1\x48\x0f\xaf\xc3\x0f\x05\x48\xcf\xf4",
    }
    for mode, bits in enumerate((16, 16, 16, 32, 32, 32, 64, 32)):
        for cpl in (0, 3):
            for flags in (0, 1):
                yield bytes([mode, cpl, flags, 7]) + code[bits] * 3


def devices():
    """Steps of fuzz_devices.c: the PCI command register, then all functions'
    BARs, then accesses of whatever is mapped."""
    steps = b"\0"
    for function in range(6):
        steps += bytes([6, 0x20 | function, 0x04, 7])
        steps += bytes([6, 0xA0 | function, 0x10, 0, 0, 0, 0xE0])
        steps += bytes([6, 0xA0 | function, 0x20, 1, 0xC0, 0, 0])
    for which in range(60):
        steps += bytes([0, which, which * 3 & 0xFF, 0, 0x55])
        steps += bytes([2, which, which * 5 & 0xFF, 0])
        steps += bytes([3 | 0x10, which, 0x20, 0, 1, 2, 3, 4])
    yield steps


SEEDS = {
    "fuzz_loaders": lambda: [kludge(), elf32(), elf64(), bzimage(),
                             bzimage(4, 0), option_rom()],
    "fuzz_cpu": cpu,
    "fuzz_devices": devices,
}


def main():
    for name, make in SEEDS.items():
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(make()):
            with open(os.path.join(folder, f"seed-{number}"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()
