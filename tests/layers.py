#!/usr/bin/env python3
"""Checks the tree's own rules (ARCHITECTURE.md): `make layers`.

 - who includes whom: devices, accel and monitor include emu and themselves,
   never one another (but for the names of keys); emu includes none of them, but where a machine is put
   together; devices know nothing of the CPU
 - only devices/host and monitor name SDL, readline and file descriptors
 - only main.c ends the process
 - no file has mutable state of its own
 - an instruction's handler ends with a jump to the next one's: a call would
   grow the stack with every instruction, as far as the guest likes

The last three are asked of the object files in BUILD. An exception stands in
one of the tables here, with its reason.
"""

import argparse
import glob
import os
import re
import subprocess
import sys

# --- Sources ----------------------------------------------------------------

# A file may include what begins with one of the words of its first match.
MAY_INCLUDE = [
    (r"emu/(main|pc\w*)\.c$", ["emu/", "devices/", "accel/", "monitor/"]),
    (r"emu/", ["emu/"]),
    (r"accel/(\w+)/", ["emu/", "accel/{1}/"]),
    (r"devices/host/", [r"emu/\w+\.h", "devices/host/"]),
    (r"devices/", [r"emu/\w+\.h", r"devices/\w+\.h"]),
    (r"monitor/", ["emu/", "monitor/", r"devices/host/keynames\.h$"]),
]

HOST_HEADERS = re.compile(
    r"SDL|readline/|unistd\.h|fcntl\.h|poll\.h|termios\.h|netdb\.h|dirent\.h|"
    r"netinet/|arpa/|signal\.h|spawn\.h|linux/|"
    r"sys/(?!mman\.h|types\.h|cdefs\.h)")
HOST_CALLS = re.compile(
    r"(open|openat|creat|close|read|write|pread|pwrite|lseek|f?stat|fopen|"
    r"fdopen|freopen|popen|tmpfile|access|unlink|rename|mkdir|mkstemp|pipe2?|"
    r"socket|connect|bind|listen|accept4?|send|recv|poll|ppoll|select|"
    r"epoll_\w+|eventfd|signalfd|ioctl|fork|exec[lv]p?e?|system|posix_spawnp?|"
    r"sigaction|signal)(64)?$")
HOST_FOLDERS = ("devices/host/", "monitor/")
HOST_EXCEPTIONS = {
    "emu/boot/image.c": "reads BIOS and kernel files, before anything runs",
    "emu/boot/bios.c": "looks along the search path for BIOS files",
    "emu/log.c": "-D: the log is a FILE",
    "emu/trace.c": "-trace: so is a trace",
    "emu/surface.c": "writes screendump's picture",
}

# --- Objects ----------------------------------------------------------------

ENDS_PROCESS = re.compile(r"(exit|_exit|_Exit|quick_exit|abort|__assert_fail)$")
MAY_END_PROCESS = {
    "emu/main.c": "the exit status is its business",
}
STATE_EXCEPTIONS = {
    ("devices/host/terminal.c", "terminal"):
        "a signal handler restores it, and that gets no context",
    ("monitor/line.c", "at_prompt"):
        "readline hands no context to its hooks",
}


def sources():
    for folder in ("emu", "accel", "devices", "monitor"):
        for kind in ("c", "h", "def"):
            yield from glob.glob(f"{folder}/**/*.{kind}", recursive=True)


def includes(path):
    """Line number, header and whether it is one of ours."""
    with open(path) as f:
        for number, line in enumerate(f, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if match:
                yield number, match[2], match[1] == '"'


def allowed(path):
    for pattern, words in MAY_INCLUDE:
        match = re.match(pattern, path)
        if match:
            return [w.replace("{1}", match[1]) if "{1}" in w else w
                    for w in words]
    return []


def check_includes():
    for path in sources():
        words = allowed(path)
        for number, header, ours in includes(path):
            where = f"{path}:{number}: includes {header}"
            if not ours:
                continue
            if not os.path.exists(header):
                yield f"{where}: give the path from the top of the tree"
            elif not any(re.match(word, header) for word in words):
                yield f"{where}: may include only {', '.join(words)}"


def check_host_headers():
    for path in sources():
        if path.startswith(HOST_FOLDERS) or path in HOST_EXCEPTIONS:
            continue
        for number, header, ours in includes(path):
            if not ours and HOST_HEADERS.match(header):
                yield (f"{path}:{number}: includes {header}: the host is "
                       "devices/host's business")


class Objects:
    """The object files of the sources above, and what is in them."""

    def __init__(self, build):
        self.build = build
        self.paths = {}
        for path in sources():
            made = os.path.join(build, path[:-2] + ".o")
            if path.endswith(".c") and os.path.exists(made):
                self.paths[path] = made

    def missing(self):
        return [p for p in sources()
                if p.endswith(".c") and p not in self.paths]

    @staticmethod
    def ask(*command):
        return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                              text=True).stdout.splitlines()

    def undefined(self, path):
        for line in self.ask("nm", "-u", self.paths[path]):
            yield line.split()[-1].split("@")[0]


def check_host_calls(objects):
    for path in objects.paths:
        if path.startswith(HOST_FOLDERS) or path in HOST_EXCEPTIONS:
            continue
        for name in objects.undefined(path):
            if HOST_CALLS.match(name):
                yield f"{path}: calls {name}(), which is the host's business"


def check_ends_process(objects):
    for path in objects.paths:
        if path in MAY_END_PROCESS:
            continue
        for name in objects.undefined(path):
            if ENDS_PROCESS.match(name):
                yield f"{path}: calls {name}(): only main.c ends the process"


def check_state(objects):
    for path, made in objects.paths.items():
        for line in objects.ask("objdump", "-t", made):
            # value, flags, section, size, name
            match = re.match(r"\S+ .{6}O (\S+)\s+(\S+) (?:\.hidden )?(.*)",
                             line)
            if not match or int(match[2], 16) == 0:
                continue
            section, name = match[1], match[3]
            if not re.match(r"\.(t?data|t?bss)(\.(?!rel\.ro)|$)|\*COM\*",
                            section):
                continue
            if (path, name) not in STATE_EXCEPTIONS:
                yield f"{path}: {name} is mutable and at file scope"


def calls_the_next(lines, at):
    """Is the indirect call at lines[at] the last thing its function does?"""
    for line in lines[at + 1:at + 14]:
        if re.search(r"\b(ret|leave|pop|add +\$0x\w+,%rsp|nop\w*)\b", line):
            if re.search(r"\bret\b", line):
                return True
        else:
            return False
    return False


def check_dispatch(objects):
    jumps = 0
    for path, made in objects.paths.items():
        if not path.startswith("emu/x86/"):
            continue
        function = ""
        lines = objects.ask("objdump", "-d", "--no-show-raw-insn", made)
        for at, line in enumerate(lines):
            match = re.match(r"[0-9a-f]+ <(.*)>:$", line)
            if match:
                function = match[1]
            elif re.search(r"\bjmp\s+\*", line):
                jumps += 1
            elif re.search(r"\bcall\s+\*", line) and calls_the_next(lines, at):
                yield f"{path}: {function}"
    # Or this check has stopped seeing what it is about.
    if jumps < 1000:
        yield f"only {jumps} jumps to a next handler in emu/x86/*.o"


# --- All of it ----------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description="Checks the tree's rules.")
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    objects = Objects(options.build)
    checks = [
        ("who includes whom", check_includes()),
        ("who includes the host's headers", check_host_headers()),
        ("who calls the host", check_host_calls(objects)),
        ("only main.c ends the process", check_ends_process(objects)),
    ]
    # Sanitizers add data of their own, and calls where jumps were.
    sanitized = os.path.basename(options.build) == "asan"
    if not sanitized:
        checks += [("no mutable state at file scope", check_state(objects)),
                   ("handlers end with a jump, not a call (a local variable "
                    "whose address escapes forbids it)",
                    check_dispatch(objects))]
    failed = 0
    for path in objects.missing():
        print(f"  {path} was not built")
        failed = 1
    for name, findings in checks:
        found = sorted(set(findings))
        print(f"{name}: {'FAILED' if found else 'ok'}")
        for line in found:
            print("  " + line)
        failed += bool(found)
    skipped = 2 if sanitized else 0
    if sanitized:
        print("SKIPPED: state and dispatch, which sanitizers change")
    print(f"RESULT layers: {max(len(checks) - failed, 0)} passed, {failed} "
          f"failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
