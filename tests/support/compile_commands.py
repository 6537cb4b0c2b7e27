#!/usr/bin/env python3
"""Prints compile_commands.json for clangd, clang-tidy and cppcheck.

usage: compile_commands.py 'gcc FLAGS' SOURCE...

The Makefile has one rule for all C files, so its command and their names are
all there is to know.
"""

import json
import os
import shlex
import sys


def main():
    command, sources = shlex.split(sys.argv[1]), sys.argv[2:]
    # Dependency files are the real build's business.
    command = [word for word in command if word not in ("-MMD", "-MP")]
    json.dump([{"directory": os.getcwd(), "file": source,
                "arguments": command + ["-c", source]}
               for source in sorted(sources)], sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
