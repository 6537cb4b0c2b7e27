# Functions for the make.sh scripts here: what is needed is named, and installed
# when we may. To be read with ".", from sh. Debian and its relatives only.

say() {
    printf 'guests: %s\n' "$*"
}

die() {
    printf 'guests: %s\n' "$*" >&2
    exit 1
}

# need FILE-OR-PROGRAM PACKAGE: it is there, or gets installed, or we end.
need() {
    case $1 in
    /*) [ -e "$1" ] && return ;;
    *) command -v "$1" >/dev/null 2>&1 && return ;;
    esac
    [ "$(id -u)" = 0 ] ||
        die "$1 is missing: install the package $2 (apt-get install $2)"
    say "$1 is missing: installing the package $2"
    apt-get install -y --no-install-recommends "$2" >/dev/null 2>&1 ||
        { apt-get update >/dev/null 2>&1 &&
            apt-get install -y --no-install-recommends "$2" >/dev/null 2>&1; } ||
        die "the package $2 cannot be installed: try 'apt-get install $2'"
}

# fetch PACKAGE DIRECTORY: unpacks a package there, without installing it.
# Needs no root, but apt's lists: root gets them updated once if need be.
fetch() {
    need dpkg-deb dpkg
    mkdir -p "$2/deb"
    (
        cd "$2/deb" || exit 1
        rm -f "$1"_*.deb
        apt-get download "$1" >/dev/null 2>&1 ||
            { [ "$(id -u)" = 0 ] && apt-get update >/dev/null 2>&1 &&
                apt-get download "$1" >/dev/null 2>&1; }
    ) || die "the package $1 cannot be downloaded: try 'apt-get update'"
    for deb in "$2/deb/$1"_*.deb; do
        say "unpacking $(basename "$deb")"
        dpkg-deb -x "$deb" "$2" || die "$deb cannot be unpacked"
    done
}
