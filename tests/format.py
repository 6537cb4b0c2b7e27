#!/usr/bin/env python3
"""clang-format for code; tables are laid out by hand.

usage: tests/format.py [--write] [FILE...]     default: all .c and .h files

What stands in braces as a list - enumerators, initialisers, compound literals -
is its author's to arrange: columns that a reader can compare are worth more
than one item a line. The same goes for a switch whose cases are one line each, and
for macros of several lines, which make tables.
Everything else is formatted as .clang-format says. Without --write, names the
files that differ and shows how; status 1 if there are any.
"""

import argparse
import concurrent.futures
import difflib
import os
import re
import subprocess
import sys

FOLDERS = ("emu", "accel", "devices", "monitor", "tests", "guests")
# A row of macros at file scope, which clang-format would take for the beginning
# of the declaration that follows: it is shown a comment instead.
MACRO_ROW = re.compile(r"\s*[A-Z][A-Z0-9_]+\([^;{}]*\)[ \t]*$")
STAND_IN = "// row of macros "
CASE = re.compile(r"\s*(case\b.*|default)\s*:\s*[^\s/].*;")


def tokens(text):
    """(kind, line, glued) of braces and what else decides about them."""
    pattern = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|'
        r"^[ \t]*#(?:\\\n|[^\n])*|\w+|\n|\s|.", re.S | re.M)
    line, glued = 1, False
    for match in pattern.finditer(text):
        word = match[0]
        if word.isspace() or word[0] == "#" or word[:2] in ("/*", "//"):
            glued = False
        else:
            yield word, line, glued
            glued = True
        line += word.count("\n")


def lists(text):
    """Line ranges of lists in braces that take more than one line."""
    found, stack, last, before = [], [], "", ""
    for word, line, glued in tokens(text):
        if word == "{":
            is_list = (last in ("=", ",", "(") or before == "enum" or
                       last == "enum" or (last == ")" and glued) or
                       (bool(stack) and stack[-1][1] and last == "{"))
            stack.append((line, is_list))
        elif word == "}" and stack:
            start, is_list = stack.pop()
            if is_list and line > start:
                found.append((start, line))
        before, last = last, word
    return found


def code_lines(text):
    """The lines that clang-format may touch, as (first, last)."""
    count = text.count("\n")
    table = set()
    for start, end in lists(text):
        table.update(range(start, end + 1))
    for number, line in enumerate(text.split("\n"), 1):
        if CASE.match(line):
            table.add(number)
        if line.endswith("\\"):
            table.update((number, number + 1))
    ranges, start = [], None
    for number in range(1, count + 2):
        if number <= count and number not in table:
            start = start or number
        elif start:
            ranges.append((start, number - 1))
            start = None
    return ranges


def hide_rows(text):
    """The text with comments for rows of macros, and the rows."""
    shown, rows, depth = [], [], 0
    by_line = {}
    for word, line, _ in tokens(text):
        by_line[line] = by_line.get(line, 0) + (word == "{") - (word == "}")
    for number, line in enumerate(text.split("\n"), 1):
        before = shown[-1] if shown else ""
        if (depth == 0 and MACRO_ROW.match(line) and
                not before.endswith(("\\", ",", "("))):
            shown.append(f"{STAND_IN}{len(rows)}")
            rows.append(line)
        else:
            shown.append(line)
        depth += by_line.get(number, 0)
    return "\n".join(shown), rows


def show_rows(text, rows):
    return re.sub(rf"[ \t]*{STAND_IN}(\d+)", lambda m: rows[int(m[1])], text)


def formatted(path, text):
    text, rows = hide_rows(text)
    command = ["clang-format", f"--assume-filename={path}"]
    command += [f"--lines={a}:{b}" for a, b in code_lines(text)]
    text = subprocess.run(command, input=text, stdout=subprocess.PIPE,
                          check=True, text=True).stdout
    return show_rows(text, rows)


def sources():
    for folder in FOLDERS:
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(where, name)


def treat(path, write):
    """The difference that formatting makes, as lines."""
    with open(path) as f:
        old = f.read()
    new = formatted(path, old)
    if new != old and write:
        with open(path, "w") as f:
            f.write(new)
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), path,
                                     "formatted", lineterm="", n=0))


def main():
    parser = argparse.ArgumentParser(description="clang-format, but tables.")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    paths = options.files or list(sources())
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for diff in pool.map(lambda p: treat(p, options.write), paths):
            bad += bool(diff)
            if not options.write:
                print("\n".join(diff[:24]), end="\n" if diff else "")
    print(f"format: {bad} of {len(paths)} files " +
          ("changed" if options.write else "differ"))
    return 1 if bad and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
