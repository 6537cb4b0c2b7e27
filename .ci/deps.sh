#!/bin/sh
# Installs the Debian packages that are missing. With nothing missing it says
# nothing and asks no server.
#
# usage: .ci/deps.sh GROUP...         groups: build test lint fuzz
#        .ci/deps.sh --have GROUP...  status 0 if nothing is missing
set -u

packages() {
    case $1 in
    build)
        echo gcc libc6-dev binutils make pkg-config python3 libsdl2-dev \
            libreadline-dev libzydis-dev libzycore-dev seabios
        ;;
    test) echo libcunit1-dev ;;
    lint) echo clang-format clang-tidy cppcheck shellcheck ;;
    fuzz) echo clang libclang-rt-dev ;;
    *)
        echo "deps: no group $1" >&2
        exit 1
        ;;
    esac
}

installed() {
    case $(dpkg-query -W -f '${db:Status-Abbrev} ' "$1" 2>/dev/null) in
    *ii*) return 0 ;;
    esac
    # The same thing under a name with a version in it.
    [ "$1" = libclang-rt-dev ] && command -v clang >/dev/null &&
        ls "$(clang -print-runtime-dir)"/libclang_rt.fuzzer-*.a \
            >/dev/null 2>&1
}

have=
[ "${1-}" = --have ] && have=1 && shift
if ! command -v dpkg-query >/dev/null; then
    [ "$have" ] && { command -v clang >/dev/null; exit; }
    echo "deps: not a Debian: see to it yourself that these are there:"
    for group; do packages "$group"; done
    exit 0
fi
missing=
for group; do
    list=$(packages "$group") || exit 1
    for package in $list; do
        installed "$package" || missing="$missing $package"
    done
done
[ "$missing" ] || exit 0
[ "$have" ] && exit 1

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: missing, and we are not root:$missing" >&2
        echo "deps: as root, run: apt-get install$missing" >&2
        exit 1
    }
    sudo=sudo
fi
echo "deps: installing$missing"
install() {
    # shellcheck disable=SC2086  # the list is words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y \
        --no-install-recommends $missing </dev/null
}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
if ! install >"$log" 2>&1; then
    echo "deps: apt-get update"
    $sudo apt-get update >"$log" 2>&1 </dev/null
    if ! install >>"$log" 2>&1; then
        tail -20 "$log" >&2
        echo "deps: apt-get could not install:$missing" >&2
        exit 1
    fi
fi
