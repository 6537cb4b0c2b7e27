#!/bin/sh
# make demo: the tour of a PC, first as text and then, on a desktop, in a window.
#
# usage: guests/demo.sh VITRINE TOUR.IMG
#
# The tour ends the emulator by isa-debug-exit: with status 33 if all of its
# stations passed.
set -u
vitrine=$1
image=$2
PASSED=33
WINDOW_SECONDS=20

"$vitrine" -name "A tour of a PC" -fda "$image" -snapshot -display none \
    -serial stdio -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=0x4 \
    </dev/null
status=$?
if [ "$status" -ne "$PASSED" ]; then
    echo "demo: FAILED: the tour ended with status $status"
    exit 1
fi

if [ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ]; then
    echo "demo: the same in a window; it closes after $WINDOW_SECONDS s, or" \
        "when you close it"
    timeout "$WINDOW_SECONDS" "$vitrine" -name "A tour of a PC" -fda "$image" \
        -snapshot -serial null -no-reboot -no-shutdown </dev/null ||
        true # a desktop that does not answer is no failure of the tour
fi
echo "demo: the tour passed all of its stations"
