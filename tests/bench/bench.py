#!/usr/bin/env python3
"""Times the bench guest under several engines, side by side.

The guest (guests/bench) prints BEGIN and END around each of its workloads on
COM1; this program reads that stream as it comes and does the timing with the
host's monotonic clock. A guest's clock is never asked.

The engines:
  native   build/guests/bench-native: the same machine code as a host program
           (compute workloads only)
  vitrine  -accel interp, -kernel bench.elf; --vitrine-args adds to it
  qemu     qemu-system-x86_64 -accel tcg -cpu max, -kernel bench.elf
  bochs    the distribution's bochs, through a GRUB ISO made for the run

An engine whose program is not installed is skipped and the report says so.
The rounds are interleaved (native, vitrine, qemu, bochs, native, ...), so that
a slow minute of the machine hits all of them. The report takes the minimum;
the JSON file has every time, the minima and the medians.

Exit code: 0 if every engine ran to the end with the same checksums, else 1.
"""

import argparse
import json
import math
import os
import pty
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
import tty

ENGINES = ["native", "vitrine", "qemu", "bochs"]
# The kinds of work that the project's reference figures were measured on: a
# mean over these can be compared with those.
CLASSIC = ["int-mix", "sieve", "matmul-int", "pointer-chase", "quicksort",
           "fib", "bytecode", "rep-movsb", "byte-loop", "sha256",
           "mandelbrot", "x87-divide", "sse2-int", "self-modifying",
           "fresh-code"]
GROUPS = ["compute", "classic", "system"]
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGABIOS = "/usr/share/vgabios/vgabios-stdvga.bin"


class Skip(Exception):
    """The engine is not there; the text says what is missing."""


class Failure(Exception):
    """The run did not come to its end; the text says where it stopped."""


def need(path, what):
    if not os.path.exists(path):
        raise Skip(f"{path} is missing ({what})")
    return path


def need_program(name, package):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed (Debian package {package})")
    return path


class Engine:
    """A program whose serial line is read from self.fd."""

    def __init__(self, options):
        self.options = options
        self.process = None
        self.fd = None
        self.drain = None  # a descriptor whose data nobody wants

    def only(self):
        return f"only={self.options.only}" if self.options.only else ""

    def start_piped(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.fd = self.process.stdout.fileno()

    def stop(self):
        """Ends the process if it has not ended by itself."""
        if self.process:
            try:
                self.process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Native(Engine):
    def start(self):
        program = need(os.path.join(self.options.build, "guests/bench-native"),
                       "make guests")
        self.start_piped([program, self.only()])


class Piped(Engine):
    """Engines that take QEMU's options."""

    def start_pc(self, command):
        kernel = need(os.path.join(self.options.build, "guests/bench.elf"),
                      "make guests")
        command += ["-m", "128", "-display", "none", "-monitor", "none",
                    "-serial", "stdio", "-no-reboot", "-kernel", kernel]
        if self.options.only:
            command += ["-append", self.only()]
        self.start_piped(command)


class Qemu(Piped):
    def start(self):
        self.start_pc([need_program("qemu-system-x86_64", "qemu-system-x86"),
                       "-accel", "tcg", "-cpu", "max"])


class Vitrine(Piped):
    def start(self):
        program = need(self.options.vitrine, "make")
        self.start_pc([program, "-accel", self.options.accel] +
                      self.options.vitrine_args.split())


class Bochs(Engine):
    """Bochs has no -kernel: GRUB on an ISO image loads the guest.

    Its com1 has to be a terminal: mode=file goes through a buffer of 4 KB and
    a socket through Nagle's algorithm, and both would move the time stamps.
    The screen is a terminal as well, and nobody looks at it.
    """

    def __init__(self, options):
        super().__init__(options)
        self.directory = None
        self.fds = []

    def make_iso(self, where):
        need_program("grub-mkrescue", "grub-common, grub-pc-bin")
        need_program("xorriso", "xorriso")
        need_program("mformat", "mtools")
        kernel = need(os.path.join(self.options.build, "guests/bench.elf"),
                      "make guests")
        os.makedirs(os.path.join(where, "iso/boot/grub"))
        shutil.copy(kernel, os.path.join(where, "iso/boot/bench.elf"))
        with open(os.path.join(where, "iso/boot/grub/grub.cfg"), "w") as f:
            f.write("set timeout=0\n"
                    f"multiboot /boot/bench.elf {self.only()}\nboot\n")
        iso = os.path.join(where, "bench.iso")
        done = subprocess.run(
            ["grub-mkrescue", "-o", iso, os.path.join(where, "iso")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode or not os.path.exists(iso):
            raise Failure("grub-mkrescue: " + done.stderr.strip()[-200:])
        return iso

    def terminal(self):
        """A pair of descriptors; what goes in on one side is not changed."""
        ours, theirs = pty.openpty()
        tty.setraw(theirs, termios.TCSANOW)
        self.fds += [ours, theirs]
        return ours, theirs

    def start(self):
        program = need_program("bochs", "bochs, bochs-term")
        need(BOCHS_BIOS, "Debian package bochsbios")
        need(BOCHS_VGABIOS, "Debian package vgabios")
        self.directory = tempfile.mkdtemp(prefix="bench-bochs-")
        iso = self.make_iso(self.directory)
        serial, serial_theirs = self.terminal()
        screen, screen_theirs = self.terminal()
        rc = os.path.join(self.directory, "rc")
        config = os.path.join(self.directory, "bochsrc")
        with open(rc, "w") as f:
            f.write("c\n")  # Debian's bochs starts in its debugger
        with open(config, "w") as f:
            f.write("megs: 128\n"
                    "cpu: ips=50000000\n"
                    f"romimage: file={BOCHS_BIOS}\n"
                    f"vgaromimage: file={BOCHS_VGABIOS}\n"
                    f"ata0-master: type=cdrom, path={iso}, status=inserted\n"
                    "boot: cdrom\n"
                    "display_library: term\n"
                    "sound: driver=dummy\n"
                    "com1: enabled=1, mode=term, "
                    f"dev={os.ttyname(serial_theirs)}\n"
                    f"log: {os.path.join(self.directory, 'log')}\n"
                    "panic: action=fatal\n"
                    "error: action=report\n"
                    "clock: sync=none\n")
        self.process = subprocess.Popen(
            [program, "-q", "-f", config, "-rc", rc], stdin=screen_theirs,
            stdout=screen_theirs, stderr=screen_theirs,
            env=dict(os.environ, TERM="xterm", LINES="40", COLUMNS="100"),
            start_new_session=True)
        self.fd = serial
        self.drain = screen

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for fd in self.fds:
            os.close(fd)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


CLASSES = {"native": Native, "vitrine": Vitrine, "qemu": Qemu, "bochs": Bochs}


def serial_lines(engine, timeout):
    """Yields (time of the line's first byte, of its last byte, text)."""
    deadline = time.monotonic() + timeout
    line, started = b"", 0.0
    sources = [engine.fd] + ([engine.drain] if engine.drain else [])
    while True:
        ready, _, _ = select.select(sources, [], [], 1.0)
        now = time.monotonic()
        if now > deadline:
            raise Failure(f"no end after {timeout} s")
        if not ready and engine.process.poll() is not None:
            return
        if engine.drain in ready:
            try:
                os.read(engine.drain, 65536)
            except OSError:
                sources.remove(engine.drain)
        if engine.fd not in ready:
            continue
        try:
            chunk = os.read(engine.fd, 4096)
        except OSError:  # a terminal without its other side
            return
        if not chunk:
            return
        for byte in chunk:
            if not line:
                started = now
            if byte == 10:
                yield started, now, line.decode("latin-1").strip("\r")
                line = b""
            else:
                line += bytes([byte])


def run_once(engine, timeout, progress):
    """One run of the guest: {name: (group, milliseconds, checksum)}."""
    results, groups = {}, {}
    current, began = None, 0.0
    engine.start()
    try:
        for started, ended, text in serial_lines(engine, timeout):
            words = text.split()
            if text == "BENCH DONE":
                return results
            if text.startswith("BENCH PANIC"):
                raise Failure(f"{text} in {current}")
            if not 2 <= len(words) <= 4:
                continue
            if words[0] == "WORKLOAD" and len(words) == 3:
                groups[words[1]] = words[2]
                progress(len(results), words[1])
            elif words[0] == "BEGIN":
                current, began = words[1], ended
            elif words[0] == "END" and len(words) > 2 and words[1] == current:
                ms = (started - began) * 1e3
                if len(words) == 4:  # measured by itself, in ns
                    ms = int(words[3]) / 1e6
                results[current] = (groups.get(current, "compute"), ms,
                                    words[2])
        raise Failure(f"stopped in {current}, after {len(results)} workloads"
                      if current else "said nothing on its serial line")
    finally:
        engine.stop()


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


class Report:
    def __init__(self):
        self.times = {}  # engine -> name -> [ms]
        self.groups = {}  # name -> group, in the order of the guest
        self.sums = {}  # name -> checksum -> [engine]
        self.skipped = {}
        self.failed = {}

    def add(self, engine, results):
        for name, (group, ms, checksum) in results.items():
            self.groups.setdefault(name, group)
            self.times.setdefault(engine, {}).setdefault(name, []).append(ms)
            engines = self.sums.setdefault(name, {}).setdefault(checksum, [])
            if engine not in engines:
                engines.append(engine)

    def best(self, engine, name):
        times = self.times.get(engine, {}).get(name)
        return max(min(times), 1e-3) if times else None

    def mismatches(self):
        return {n: s for n, s in self.sums.items() if len(s) > 1}

    def members(self, group):
        if group == "classic":
            return [n for n in CLASSIC if n in self.groups]
        return [n for n, of in self.groups.items() if of == group]

    def mean_ratio(self, engine, base, group):
        """(geometric mean, how many) of engine / base over a group."""
        ratios = []
        for name in self.members(group):
            a, b = self.best(engine, name), self.best(base, name)
            if a and b:
                ratios.append(a / b)
        return (geometric_mean(ratios), len(ratios)) if ratios else (None, 0)

    def pairs(self):
        have = [e for e in ENGINES if e in self.times]
        wanted = [("vitrine", "native"), ("vitrine", "qemu"),
                  ("vitrine", "bochs"), ("qemu", "native"),
                  ("bochs", "native"), ("bochs", "qemu")]
        return [p for p in wanted if p[0] in have and p[1] in have]

    def as_json(self, options):
        engines = {}
        for engine, names in self.times.items():
            engines[engine] = {
                n: {"group": self.groups[n], "ms": [round(m, 3) for m in t],
                    "min": round(min(t), 3),
                    "median": round(statistics.median(t), 3)}
                for n, t in names.items()}
        means = {}
        for engine, base in self.pairs():
            for group in GROUPS:
                mean, count = self.mean_ratio(engine, base, group)
                if count:
                    means[f"{engine}/{base} {group}"] = {
                        "geometric_mean": round(mean, 4), "workloads": count}
        return {"rounds": options.rounds, "only": options.only,
                "host": os.uname().machine, "engines": engines,
                "ratios": means, "checksums": self.sums,
                "skipped": self.skipped, "failed": self.failed}

    def print_table(self):
        engines = [e for e in ENGINES if e in self.times]
        pairs = self.pairs()
        head = ["workload"] + [f"{e} ms" for e in engines]
        head += [f"{a}/{b}" for a, b in pairs]
        rows = []
        for group in ("compute", "system"):
            for name in self.members(group):
                row = [name]
                for engine in engines:
                    ms = self.best(engine, name)
                    row.append("-" if ms is None else f"{ms:.1f}")
                for engine, base in pairs:
                    a, b = self.best(engine, name), self.best(base, name)
                    row.append(f"{a / b:.2f}" if a and b else "-")
                rows.append(row)
            if not self.members(group):
                continue
            for mean_of in [group] + ["classic"] * (group == "compute"):
                count = len(self.members(mean_of))
                row = [f"{mean_of}: geometric mean of {count}"]
                row += [""] * len(engines)
                for engine, base in pairs:
                    mean, count = self.mean_ratio(engine, base, mean_of)
                    row.append(f"{mean:.2f}" if count else "-")
                rows.append(row)
            rows.append(None)
        widths = [max(len(r[i]) for r in [head] + rows if r)
                  for i in range(len(head))]

        def line(row):
            cells = [row[0].ljust(widths[0])]
            cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
            return "  ".join(cells).rstrip()

        print(line(head))
        print("-" * len(line(head)))
        for row in rows:
            print(line(row) if row else "")
        for name, sums in self.mismatches().items():
            text = "; ".join(f"{','.join(e)} {s}" for s, e in sums.items())
            print(f"CHECKSUM MISMATCH {name}: {text}")
        for engine, why in self.failed.items():
            print(f"FAILED {engine}: {why}")
        for engine, why in self.skipped.items():
            print(f"skipped {engine}: {why}")


def parse_options():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    parser = argparse.ArgumentParser(
        description="Times the bench guest under several engines.")
    parser.add_argument("vitrine", nargs="?",
                        default=os.path.join(root, "vitrine"),
                        help="the vitrine program (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="NAME[,NAME]",
                        help="workloads whose name contains one of these")
    parser.add_argument("--engines", default=",".join(ENGINES),
                        help="default: %(default)s")
    parser.add_argument("--accel", default="interp",
                        help="vitrine's engine (default: %(default)s)")
    parser.add_argument("--vitrine-args", default="",
                        help="more options for vitrine, in one word")
    parser.add_argument("--timeout", type=float, default=600,
                        help="seconds for one run (default: %(default)s)")
    parser.add_argument("--build", default=os.path.join(root, "build"),
                        help="where guests/ was built (default: %(default)s)")
    parser.add_argument("--json", default=None,
                        help="default: BUILD/bench.json")
    options = parser.parse_args()
    for engine in options.engines.split(","):
        if engine not in CLASSES:
            parser.error(f"no engine {engine}: there are {', '.join(ENGINES)}")
    if any(c.isspace() for c in options.only):
        parser.error("--only takes names with commas between them, no blanks")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.json = options.json or os.path.join(options.build, "bench.json")
    return options


def main():
    options = parse_options()
    report = Report()
    live = sys.stderr.isatty()
    chosen = [e for e in ENGINES if e in options.engines.split(",")]
    for number in range(options.rounds):
        for name in chosen:
            if name in report.skipped or name in report.failed:
                continue
            where = f"round {number + 1}/{options.rounds} {name:8}"

            def progress(done, workload):
                if live:
                    sys.stderr.write(f"\r{where} {done:3} {workload:20}\x1b[K")
                    sys.stderr.flush()

            began = time.monotonic()
            try:
                results = run_once(CLASSES[name](options), options.timeout,
                                   progress)
                report.add(name, results)
                note = f"{len(results)} workloads"
            except Skip as why:
                report.skipped[name] = note = str(why)
                note = "skipped: " + note
            except Failure as why:
                report.failed[name] = note = str(why)
                note = "FAILED: " + note
            took = time.monotonic() - began
            sys.stderr.write(("\r" if live else "") +
                             f"{where} {took:6.1f} s  {note}" +
                             ("\x1b[K" if live else "") + "\n")
    os.makedirs(os.path.dirname(os.path.abspath(options.json)), exist_ok=True)
    with open(options.json, "w") as f:
        json.dump(report.as_json(options), f, indent=1)
        f.write("\n")
    print()
    report.print_table()
    print(f"\nbench: {len(report.groups)} workloads, minimum of "
          f"{options.rounds} rounds; every time is in {options.json}")
    bad = report.failed or report.mismatches() or not report.times
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
