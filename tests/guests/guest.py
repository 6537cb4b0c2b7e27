"""What the tests of this folder share: a guest runs, its serial line is read
and typed at, and the test's RESULT line is kept.

$VITRINE or the first argument is the emulator. Guests are in build/guests;
those that are made of packages are made here, once, and where that cannot be
(no network) the tests that need them are skipped and say so.
"""

import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
GUESTS = os.path.join(ROOT, "build", "guests")
LONG = os.environ.get("VITRINE_LONG", "") not in ("", "0")
# A slow build (sanitizers) or a busy machine gets more time.
PATIENCE = float(os.environ.get("VITRINE_PATIENCE", "6"))


class Skip(Exception):
    """The test cannot be made here; the text says why."""


class Failed(Exception):
    """The guest did not do what it should."""


def vitrine():
    path = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("VITRINE")
    return os.path.abspath(path or os.path.join(ROOT, "vitrine"))


def expect(condition, text):
    if not condition:
        raise Failed(text)


# --- Guests to be had --------------------------------------------------------

def built(name):
    """The path of what `make guests` builds."""
    path = os.path.join(GUESTS, name)
    if not os.path.exists(path):
        raise Skip(f"{path} is missing: make guests")
    return path


def made(folder, name):
    """The path of what guests/FOLDER/make.sh makes, made now if need be."""
    out = os.path.join(GUESTS, folder)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(GUESTS, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        script = os.path.join(ROOT, "guests", folder, "make.sh")
        done = subprocess.run([script, out], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    path = os.path.join(out, name)
    if done.returncode != 0 or not os.path.exists(path):
        lines = done.stdout.strip().splitlines() or ["make.sh failed"]
        raise Skip(f"{folder}/{name}: {lines[-1]}")
    return path


def images(name):
    built("bench.elf")
    made("linux", "vmlinuz")
    return made("images", name)


# --- Running -----------------------------------------------------------------

class Machine:
    """A vitrine process whose serial line is on its standard input and output.

    Use it in a `with`: it never outlives the test."""

    def __init__(self, *arguments, memory=64, bios_on_serial=True):
        # With -nographic the BIOS writes to the serial line too, and the last
        # of what it has to say may come when the guest is talking already.
        lines = (["-nographic"] if bios_on_serial else
                 ["-display", "none", "-serial", "stdio"])
        self.command = [vitrine(), "-m", str(memory), *lines,
                        "-no-reboot", *arguments]
        self.output = b""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _read(self, seconds):
        """False at the end of the output."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        self.output += data
        return bool(data)

    def tail(self):
        text = self.output[-400:].decode(errors="replace")
        return "".join(c if c.isprintable() or c == "\n" else "." for c in text)

    def wait_for(self, pattern, seconds):
        """Seconds since the start, when the pattern has come; the match is in
        self.match."""
        wanted = re.compile(pattern.encode())
        limit = time.monotonic() + seconds * PATIENCE
        while True:
            self.match = wanted.search(self.output)
            if self.match:
                return time.monotonic() - self.began
            left = limit - time.monotonic()
            if left <= 0:
                raise Failed(f"no \"{pattern}\" in {seconds * PATIENCE:.0f} s;"
                             f" the last was:\n{self.tail()}")
            if not self._read(left):
                break
        self.match = wanted.search(self.output)
        if not self.match:
            raise Failed(f"ended without \"{pattern}\"; the last was:\n"
                         f"{self.tail()}")
        return time.monotonic() - self.began

    def forget(self):
        """Waits from now on look at what comes from now on."""
        self.output = b""

    def type(self, text):
        os.write(self.process.stdin.fileno(), text.encode())

    def status(self, seconds):
        """The exit status, when the machine has switched itself off."""
        limit = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < limit:
            if not self._read(limit - time.monotonic()):
                return self.process.wait()
        raise Failed(f"still running after {seconds * PATIENCE:.0f} s; the "
                     f"last was:\n{self.tail()}")

    def lines(self):
        """The serial log without carriage returns and cursor movements."""
        text = self.output.decode(errors="replace").replace("\r", "")
        text = re.sub(r"\x1b(\[[?0-9;=]*[A-Za-z]|c)", "", text)
        return text.split("\n")


# --- The frame of a test program ---------------------------------------------

def main(name, tests):
    """Runs functions, each with a scratch folder; prints what became of
    them."""
    passed = failed = skipped = 0
    # A SIGTERM unwinds, so that no guest is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for test in tests:
        scratch = tempfile.mkdtemp(prefix="vitrine-")
        try:
            note = test(scratch)
            passed += 1
            print(f"{test.__name__}: passed" + (f" ({note})" if note else ""))
        except Skip as reason:
            skipped += 1
            print(f"{test.__name__}: SKIPPED: {reason}")
        except Failed as reason:
            failed += 1
            print(f"{test.__name__}: FAILED: {reason}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        sys.stdout.flush()
    print(f"RESULT {name}: {passed} passed, {failed} failed, "
          f"{skipped} skipped")
    sys.exit(1 if failed else 0)
