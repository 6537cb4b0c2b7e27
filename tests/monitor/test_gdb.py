#!/usr/bin/env python3
"""The gdb stub: gdb itself with batch scripts against the tour and Linux, and
the protocol by hand, with garbage among it."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "guests"))
import guest  # noqa: E402

TOUR_OBJECT = os.path.join(guest.ROOT, "build/guests/obj/tour.o")
SECONDS = 20


class Stub:
    """A vitrine that listens on a Unix socket in the scratch folder."""

    def __init__(self, scratch, *arguments, memory=64):
        self.path = os.path.join(scratch, "gdb.sock")
        self.log = open(os.path.join(scratch, "stderr"), "w+b")
        self.process = subprocess.Popen(
            [guest.vitrine(), "-m", str(memory), "-display", "none",
             "-serial", "null", "-gdb", "unix:" + self.path, *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        limit = time.monotonic() + SECONDS * guest.PATIENCE
        while not os.path.exists(self.path):
            guest.expect(self.process.poll() is None and
                         time.monotonic() < limit,
                         f"does not listen: {self.said()}")
            time.sleep(0.01)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def gdb(self, *lines, symbols=None):
        """What `gdb -batch` says to these commands."""
        if not shutil.which("gdb"):
            raise guest.Skip("gdb is not installed")
        commands = ["set pagination off", "set confirm off",
                    f"target remote {self.path}", *lines]
        words = ["gdb", "-nx", "-q", "-batch"]
        for line in commands:
            words += ["-ex", line]
        if symbols:
            words.append(symbols)
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace",
                timeout=SECONDS * guest.PATIENCE)
        except subprocess.TimeoutExpired as late:
            raise guest.Failed(f"gdb hangs: {late.output}")
        return done.stdout


class Client:
    """The protocol by hand."""

    def __init__(self, stub):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS * guest.PATIENCE)
        self.socket.connect(stub.path)
        self.data = b""
        self.acks = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, packet):
        self.socket.sendall(b"$" + packet +
                            b"#%02x" % (sum(packet) & 0xFF))

    def more(self):
        data = self.socket.recv(65536)
        guest.expect(data, "the stub hung up")
        self.data += data

    def reply(self):
        while True:
            match = re.search(rb"\$([^#]*)#([0-9a-f]{2})", self.data)
            if match:
                break
            self.more()
        self.data = self.data[match.end():]
        guest.expect(sum(match[1]) & 0xFF == int(match[2], 16),
                     f"checksum of {match[0]}")
        if self.acks and not match[1].startswith(b"W"):
            self.socket.sendall(b"+")
        return re.sub(rb"\}(.)", lambda m: bytes([m[1][0] ^ 0x20]), match[1],
                      flags=re.DOTALL)

    def ask(self, packet):
        self.send(packet)
        return self.reply()


def symbol(name):
    """The address of a label of the tour."""
    if not os.path.exists(TOUR_OBJECT):
        raise guest.Skip(f"{TOUR_OBJECT} is missing: make guests")
    text = subprocess.run(["nm", TOUR_OBJECT], stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    match = re.search(rf"^([0-9a-f]+) [tT] {name}$", text, re.MULTILINE)
    guest.expect(match, f"the tour has no {name}")
    return 0x7C00 + int(match[1], 16)


def tour(scratch, *arguments):
    # Its own copy: other tests may be writing to theirs.
    image = shutil.copy(guest.built("tour.img"), scratch)
    return Stub(scratch, "-fda", image, *arguments)


def wants(text, *patterns):
    for pattern in patterns:
        guest.expect(re.search(pattern, text, re.MULTILINE),
                     f"no \"{pattern}\" in:\n{text}")


# --- gdb ---------------------------------------------------------------------

def real_mode_boot_sector_and_steps(scratch):
    with tour(scratch, "-S") as stub:
        text = stub.gdb(
            "info registers rip cs", "hbreak *0x7c00", "continue",
            "info registers", "x/8xb 0x7c00", "stepi", "stepi",
            "print/x $rip", "info threads")
    wants(text, r"^rip +0xfff0 ", r"^cs +0xf000 ",
          r"^Breakpoint 1, 0x0*7c00 ", r"^rip +0x7c00 ", r"^cs +0x0 ",
          r"^cr0 +0x10 +\[ ET \]", r"^efer +0x0 ",
          r"^0x7c00:\s+0xfa\s+0x31\s+0xc0", r"^\$1 = 0x7c03$", r"CPU#0")


def protected_and_long_mode_breakpoints(scratch):
    protected, long_mode = symbol("protected_mode"), symbol("long_mode")
    with tour(scratch, "-S") as stub:
        text = stub.gdb(
            f"hbreak *{protected:#x}", f"break *{long_mode:#x}", "continue",
            "info registers cr0 cs efer", "stepi", "continue",
            "info registers cr0 cs efer cr4", "stepi", "print/x $rsp",
            "monitor info registers")
    wants(text, rf"^Breakpoint 1, 0x0*{protected:x} ",
          r"^cr0 +0x11 +\[ PE ET \]", r"^efer +0x0 ",
          rf"^Breakpoint 2, 0x0*{long_mode:x} ",
          r"^cr0 +0x80010011 +\[ PE ET WP PG \]",
          r"^efer +0x[0-9a-f]+ +\[.* LME LMA.*\]", r"^cr4 .* PAE ",
          r"^RAX=[0-9a-f]{16} ", r"^CR0=80010011 ")


def watchpoint_stops_behind_the_write(scratch):
    """0x500 gets 0xBEEF in protected mode."""
    with tour(scratch, "-S") as stub:
        text = stub.gdb(
            f"hbreak *{symbol('protected_mode'):#x}", "continue",
            "watch *(unsigned *)0x500", "continue", "x/xw 0x500",
            "delete", "rwatch *(unsigned short *)0x100500", "continue",
            "delete", "awatch *(unsigned short *)0x500", "continue")
    wants(text, r"^Hardware watchpoint 2", r"^New value = 48879",
          r"^0x500:\s+0x0000beef", r"^Hardware read watchpoint 3",
          r"^Value = 51966", r"^Hardware access .*watchpoint 4",
          r"^Value = 48879")


def registers_and_memory_can_be_written(scratch):
    with tour(scratch, "-S") as stub:
        text = stub.gdb(
            f"hbreak *{symbol('long_mode'):#x}", "continue",
            "set $rax = 0x1122334455667788", "print/x $rax",
            "set $eflags = 0x8d7", "info registers eflags",
            "set $xmm3.v2_int64[1] = 0x123456789abcdef0",
            "print/x $xmm3.v2_int64[1]", "set $st0 = 1.5", "print $st0",
            "set $mxcsr = 0x9fc0", "info registers mxcsr",
            "set $fs_base = 0x12345000", "print/x $fs_base",
            "set {long}0x600 = 0x55aa55aa12345678", "x/xg 0x600",
            "set $gs = 0x60", "print $gs == 0x60",
            "x/xb 0x7fffffff0000")
    wants(text, r"= 0x1122334455667788$", r"^eflags +0x8d7 ",
          r"= 0x123456789abcdef0$", r"= 1.5$", r"^mxcsr +0x9fc0 ",
          r"= 0x12345000$", r"^0x600:\s+0x55aa55aa12345678",
          r"Could not write register \"gs\"", r"Cannot access memory")


def breakpoint_patched_code_runs_as_patched(scratch):
    """Memory that is written where code was decoded is decoded again: a HLT
    becomes a jump to itself."""
    with tour(scratch, "-S") as stub:
        text = stub.gdb(
            "hbreak *0x7c00", "continue", "set {short}0x7c00 = 0xfeeb",
            "stepi", "stepi", "print/x $rip", "set $rip = 0x7c01", "stepi",
            "print/x $rip")
    wants(text, r"^\$1 = 0x7c00$", r"^\$2 = 0x7c03$")


def linux_stops_at_an_address_and_a_symbol(scratch):
    kernel = guest.made("linux", "vmlinuz")
    initrd = os.path.join(os.path.dirname(kernel), "initrd.gz")
    # bzImage: protected-mode code is loaded at 1 MiB, its 64-bit entry (Linux
    # calls it startup_64) is at 0x200 in it; it unpacks the kernel to 16 MiB.
    names = os.path.join(scratch, "names.s")
    subprocess.run(["as", "-o", names + ".o", "-"], check=True, text=True,
                   input=".globl startup_32\n.globl startup_64\n"
                   ".text\nstartup_32: .skip 0x200, 0x90\n"
                   "startup_64: nop\n")
    subprocess.run(["ld", "-Ttext=0x100000", "-e", "startup_32", "-o", names,
                    names + ".o"], check=True)
    with Stub(scratch, "-S", "-kernel", kernel, "-initrd", initrd, "-append",
              "console=ttyS0 nokaslr panic=-1", memory=256) as stub:
        text = stub.gdb("hbreak *0x100000", "continue",
                        "info registers cr0 efer", "delete",
                        "hbreak startup_64", "continue", "print/x $rip",
                        "info registers cr0 efer", "delete", "stepi",
                        "stepi", "stepi", "info symbol 0x100200",
                        "hbreak *0x1000000", "continue", "print/x $rip",
                        symbols=names)
    wants(text, r"^Breakpoint 1, 0x0*100000 ", r"^efer +0x0 ",
          r"^Breakpoint 2, 0x0*100200 in startup_64 ",
          r"^efer .* LME LMA ", r"^Breakpoint 3, 0x0*1000000 ",
          r"= 0x1000000$")


# --- By hand -----------------------------------------------------------------

def ctrl_c_stops_within_milliseconds(scratch):
    with tour(scratch, "-S") as stub, Client(stub) as client:
        client.ask(b"qSupported:swbreak+;hwbreak+")
        for packet in (b"M7c00,2:ebfe", b"P10=007c000000000000",
                       b"P12=00000000"):
            guest.expect(client.ask(packet) == b"OK", f"no {packet}")
        client.send(b"vCont;c")
        time.sleep(0.5)
        began = time.monotonic()
        client.socket.sendall(b"\x03")
        guest.expect(client.reply() == b"T02thread:01;", "no T02")
        took = time.monotonic() - began
        guest.expect(took < 0.05 * guest.PATIENCE, f"after {took:.3f} s")
        before = client.ask(b"g")
        time.sleep(0.1)
        guest.expect(client.ask(b"g") == before, "it has not stopped")
    return f"{took * 1000:.1f} ms"


def halted_guest_costs_nothing_and_stops(scratch):
    """HLT with interrupts off: neither stepping nor running returns until
    Ctrl-C."""
    with tour(scratch, "-S") as stub, Client(stub) as client:
        guest.expect(client.ask(b"M7c00,2:faf4") == b"OK", "no write")
        for packet in (b"P10=007c000000000000", b"P12=00000000"):
            guest.expect(client.ask(packet) == b"OK", f"no {packet}")
        guest.expect(client.ask(b"s") == b"T05thread:01;", "no step")
        guest.expect(client.ask(b"s") == b"T05thread:01;", "no step")
        for packet in (b"s", b"c"):
            client.send(packet)
            time.sleep(0.3)
            client.socket.sendall(b"\x03")
            guest.expect(client.reply() == b"T02thread:01;", "no T02")
        with open(f"/proc/{stub.process.pid}/stat") as file:
            before = file.read().rsplit(")", 1)[1].split()[11:13]
        client.send(b"c")
        time.sleep(0.5)
        with open(f"/proc/{stub.process.pid}/stat") as file:
            after = file.read().rsplit(")", 1)[1].split()[11:13]
        used = sum(map(int, after)) - sum(map(int, before))
        guest.expect(used <= 5, f"{used} ticks while idle")


def acks_features_and_errors(scratch):
    with tour(scratch, "-S") as stub, Client(stub) as client:
        text = client.ask(b"qSupported:xmlRegisters=i386;swbreak+")
        for word in (b"PacketSize=4000", b"QStartNoAckMode+", b"swbreak+",
                     b"vContSupported+", b"qXfer:features:read+"):
            guest.expect(word in text, f"no {word} in {text}")
        xml, more = b"", b"m"
        while more == b"m":
            part = client.ask(b"qXfer:features:read:target.xml:%x,3a3"
                              % len(xml))
            more, xml = part[:1], xml + part[1:]
        for word in (b'"org.gnu.gdb.i386.core"', b'name="cr3"',
                     b'name="k_gs_base"', b'name="xmm15"', b"</target>"):
            guest.expect(word in xml, f"no {word}")
        for packet, wanted in (
                (b"?", b"T05thread:01;"), (b"qC", b"QC01"), (b"T1", b"OK"),
                (b"T9", b"E22"), (b"Hg1", b"OK"), (b"Hg7", b"E22"),
                (b"qfThreadInfo", b"m01"), (b"qsThreadInfo", b"l"),
                (b"qAttached", b"1"), (b"!", b"OK"), (b"vMustReplyEmpty", b""),
                (b"vCont?", b"vCont;c;C;s;S;t;r"), (b"p10", b"f0ff" + b"00" * 6),
                (b"p42", b"E14"), (b"pzz", b"E14"), (b"P", b"E22"),
                (b"m0,0", b""), (b"mf0000000,4", b"E14"), (b"m,", b"E22"),
                (b"Mf0000000,1:00", b"E14"), (b"M0,2:00", b"E22"),
                (b"X600,0:", b"OK"), (b"X600,3:a}\x03b", b"OK"),
                (b"m600,3", b"612362"), (b"Z9,0,1", b""), (b"Z0,", b"E22"),
                (b"Z2,0,0", b"E22"), (b"z1,1234,1", b"OK"),
                (b"vCont;x", b"E22"), (b"vCont", b"E22"), (b"G00", b"E22"),
                (b"qqemu.PhyMemMode", b"0"), (b"nonsense", b"")):
            got = client.ask(packet)
            guest.expect(got == wanted, f"{packet}: {got}, not {wanted}")
        # Writing back what was read changes nothing.
        registers = client.ask(b"g")
        guest.expect(client.ask(b"G" + registers) == b"OK", "no G")
        guest.expect(client.ask(b"g") == registers, "G has changed them")
        # A wrong checksum is refused, and a '-' repeats the answer.
        client.data = b""
        client.socket.sendall(b"$qC#00")
        while b"-" not in client.data:
            client.more()
        client.data = b""
        guest.expect(client.ask(b"qC") == b"QC01", "no qC")
        client.socket.sendall(b"-")
        guest.expect(client.reply() == b"QC01", "no repetition")
        # Without acknowledgements there is none.
        guest.expect(client.ask(b"QStartNoAckMode") == b"OK", "no OK")
        client.acks = False
        client.data = b""
        guest.expect(client.ask(b"qC") == b"QC01", "no qC")
        guest.expect(b"+" not in client.data, "a '+'")
        guest.expect(client.ask(b"vKill;1") == b"OK", "no vKill")
        guest.expect(stub.process.wait(SECONDS) == 0, "status")


def client_that_leaves_lets_the_guest_run(scratch):
    """And its breakpoints go with it: the tour comes to its end."""
    with tour(scratch, "-S") as stub:
        with Client(stub) as client:
            guest.expect(client.ask(b"Z1,7c00,1") == b"OK", "no Z1")
            guest.expect(client.ask(b"c").startswith(b"T05"), "no stop")
        status = stub.process.wait(SECONDS * guest.PATIENCE)
    guest.expect(status == 0, f"status {status}")


def end_of_the_guest_is_told(scratch):
    with tour(scratch, "-S", "-device",
              "isa-debug-exit,iobase=0xf4,iosize=4") as stub, \
            Client(stub) as client:
        got = client.ask(b"c")
        guest.expect(got == b"W21", f"{got}")
        status = stub.process.wait(SECONDS)
        guest.expect(status == 33, f"status {status}")


def tcp_is_loopback_and_says_its_port(_):
    process = subprocess.Popen(
        [guest.vitrine(), "-S", "-m", "16", "-display", "none", "-serial",
         "null", "-gdb", "tcp::0"], stderr=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)$", process.stderr.readline())[1])
        with open("/proc/net/tcp") as file:
            lines = [line.split()[1] for line in file
                     if line.split()[1].endswith(f":{port:04X}")]
        guest.expect("0100007F:%04X" % port in lines, f"{lines}")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(SECONDS)
            client.sendall(b"$?#3f")
            guest.expect(client.recv(1) == b"+", "no '+'")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wrong_addresses_cost_one_line(_):
    for address in ("stdio", "tcp:1234", "tcp::x", "unix:", "tcp::1,foo",
                    "tcp::99999", "unix:/nonexistent/x", "x" * 300):
        done = subprocess.run(
            [guest.vitrine(), "-S", "-display", "none", "-gdb", address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        guest.expect(done.returncode == 1 and
                     re.fullmatch(r"vitrine: -gdb [^\n]*\n", done.stderr),
                     f"{address}: {done.returncode} {done.stderr}")


def random_bytes_and_packets_do_no_harm(scratch):
    """20 clients, each with garbage, and packets that are nearly right."""
    dice = random.Random(20240607)
    heads = [b"g", b"G", b"p", b"P", b"m", b"M", b"X", b"Z0,", b"Z2,", b"z0,",
             b"z3,", b"H", b"T", b"qSupported", b"qXfer:features:read:",
             b"qXfer:features:read:target.xml:", b"qRcmd,", b"vCont", b"s",
             b"qThreadExtraInfo,", b"!", b"?", b"vAttach;", b"vCtrlC", b"R",
             b"QStartNoAckMode", b"Qqemu.PhyMemMode:", b"vRun", b"S"]
    tail = b"0123456789abcdef,:;=-csCStr\x03+}*\xff"
    with tour(scratch, "-S") as stub:
        for _ in range(20):
            with Client(stub) as client:
                client.socket.settimeout(0.005)
                for _ in range(100):
                    size = dice.choice((0, 1, 2, 5, 9, 40, 700))
                    body = bytes(dice.choice(tail) for _ in range(size))
                    if dice.random() < 0.2:
                        client.socket.sendall(dice.randbytes(size))
                    elif dice.random() < 0.1:
                        client.socket.sendall(b"$" + b"a" * 20000 + b"#00")
                    else:
                        client.send(dice.choice(heads) + body)
                    if dice.random() < 0.3:
                        client.socket.sendall(b"\x03")
                    try:
                        client.socket.recv(65536)
                    except TimeoutError:
                        client.socket.sendall(b"\x03")
            guest.expect(stub.process.poll() is None,
                         f"it has ended: {stub.said()}")
        with Client(stub) as client:
            guest.expect(client.ask(b"?").startswith(b"T"), "no answer")
        guest.expect("Sanitizer" not in stub.said(), stub.said())


if __name__ == "__main__":
    guest.main("gdb", [
        real_mode_boot_sector_and_steps,
        protected_and_long_mode_breakpoints,
        watchpoint_stops_behind_the_write,
        registers_and_memory_can_be_written,
        breakpoint_patched_code_runs_as_patched,
        linux_stops_at_an_address_and_a_symbol,
        ctrl_c_stops_within_milliseconds,
        halted_guest_costs_nothing_and_stops,
        acks_features_and_errors,
        client_that_leaves_lets_the_guest_run,
        end_of_the_guest_is_told,
        tcp_is_loopback_and_says_its_port,
        wrong_addresses_cost_one_line,
        random_bytes_and_packets_do_no_harm,
    ])
