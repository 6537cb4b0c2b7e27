#!/usr/bin/env python3
"""All linters: `make lint`.

clang-format (tests/format.py), clang-tidy (.clang-tidy), cppcheck, shellcheck,
and Python's compiler. A finding that is no mistake stands in one of the tables
here, with its reason. Ends with `lint: ok` and status 0, or names what failed.

usage: tests/lint.py [--only NAME,...] [FILE...]     FILEs: for clang-tidy
"""

import argparse
import concurrent.futures
import os
import py_compile
import re
import subprocess
import sys
import tempfile
import time

FOLDERS = ("emu", "accel", "devices", "monitor", "tests", "guests", ".ci")

# (file, check): where clang-tidy is wrong, and why.
TIDY_KNOWN = [
    (r"emu/options_property\.c", "clang-analyzer-core",
     "does not know that option_fail() returns -1"),
    (r"emu/boot/image\.h", "clang-analyzer-core.NullDereference",
     "does not know that boot_fail() returns -1"),
    (r"devices/host/chardev\.c", "clang-analyzer-unix.Malloc",
     "does not see that close_port() unlinks the port before it frees it"),
    (r"emu/x86/quick\.h", "clang-analyzer-core.UndefinedBinaryOperatorResult",
     "takes an unsigned shift of a bool by 63 for a signed one"),
    (r".*", "clang-analyzer-valist",
     "reports every va_start() when it has seen another file before"),
]
# CUnit's FATAL assertions do not return, which no header says: so the analyzer
# would find a null pointer behind each of them.
TIDY_TESTS = "-clang-analyzer-*"

# Arguments of cppcheck, with reasons.
CPPCHECK_KNOWN = [
    # functions that do not return are declared in another file
    "zerodivcond:emu/x86/exec_bcd.c",
    "arrayIndexOutOfBoundsCond:emu/x86/exec_segment.c",
    # subtracts 0x100 and means it to wrap
    "arrayIndexOutOfBoundsCond:monitor/expr.c",
    # gcc checks formats, and knows that a masked uint16_t may be unsigned
    "invalidPrintfArgType_uint",
    # symbols of the assembler in rom.S: one object, two names
    "comparePointers:emu/boot/rom.c",
    # gcc's arithmetic shift is what every CPU here has
    "shiftTooManyBitsSigned",
    # a shift by 64 behind a condition that it does not follow
    "shiftTooManyBits:emu/x86/exec_shift.c",
    # cppcheck 2.10 gives up on `(x) & -(x)` and the like
    "internalAstError",
    "missingInclude",
]

# SC3013: -nt is in every shell that Debian has as sh. SC2187: busybox's ash.
SHELLCHECK = ["shellcheck", "-x", "-S", "warning", "-e", "SC3013,SC2187"]


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    return done.returncode, done.stdout


def files(*endings):
    for folder in FOLDERS:
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.join(where, name)


def format_code(_):
    status, text = run("tests/format.py")
    return text.splitlines() if status else []


def known(path, check):
    return any(re.match(pattern, path) and check.startswith(name)
               for pattern, name, _ in TIDY_KNOWN)


def tidy_file(path):
    # gcc's -Werror would end the work at a warning of clang's.
    command = ["clang-tidy", "--quiet", "-p", ".", "--extra-arg=-w"]
    if path.startswith("tests/"):
        command.append("--checks=" + TIDY_TESTS)
    _, text = run(*command, path)
    found = []
    for line in text.splitlines():
        match = re.match(r"(.*?):(\d+):\d+: (?:error|warning): (.*) "
                         r"\[([\w.-]+)", line)
        # Compiler warnings are gcc's business, in every build.
        if match and not re.match(r"clang-diagnostic-(?!error)", match[4]):
            where = os.path.relpath(match[1])
            if not known(where, match[4]):
                found.append(f"{where}:{match[2]}: {match[3]} [{match[4]}]")
    return found


def tidy(options):
    paths = options.files or [p for p in files(".c")
                              if not p.startswith("guests/")]
    found = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for some in pool.map(tidy_file, paths):
            found.update(some)
    return sorted(found)


def cppcheck(_):
    folders = [f for f in ("emu", "accel", "devices", "monitor")
               if os.path.isdir(f)]
    status, text = run(
        "cppcheck", f"-j{os.cpu_count()}", "-q", "--std=c11", "--language=c",
        "-I.", "-D_GNU_SOURCE", "--enable=warning,performance,portability",
        "--inline-suppr", "--error-exitcode=1",
        "--template={file}:{line}: {severity}: {message} [{id}]",
        *("--suppress=" + s for s in CPPCHECK_KNOWN), *folders)
    return text.splitlines() if status else []


def shell(_):
    scripts = [".ci/run"] + list(files(".sh")) + ["guests/linux/init"]
    found = []
    for script in scripts:
        # What is only read by others has no first line that names a shell.
        with open(script) as f:
            named = [] if f.readline().startswith("#!") else ["-s", "sh"]
        status, text = run(*SHELLCHECK, *named, "-f", "gcc", "-P", "SCRIPTDIR",
                           script)
        found += text.splitlines() if status else []
    return found


def python(_):
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for path in list(files(".py")) + ["tests/run"]:
            try:
                py_compile.compile(path, os.path.join(folder, "out.pyc"),
                                   doraise=True)
            except py_compile.PyCompileError as error:
                found.append(str(error))
    return found


LINTERS = {
    "format": format_code,
    "shell": shell,
    "python": python,
    "cppcheck": cppcheck,
    "tidy": tidy,
}


def main():
    parser = argparse.ArgumentParser(description="Runs the linters.")
    parser.add_argument("--only", default=",".join(LINTERS))
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    bad = []
    for name in options.only.split(","):
        began = time.monotonic()
        found = LINTERS[name](options)
        for line in found[:100]:
            print("  " + line)
        print(f"{'FAIL' if found else 'ok  '} {name:10} "
              f"{time.monotonic() - began:6.1f} s", flush=True)
        if found:
            bad.append(name)
    print("lint: " + ("failed: " + " ".join(bad) if bad else "ok"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
