/*
 * Keys by the names that QEMU's `sendkey` has for them, and keys for
 * characters, as someone at a US keyboard would type them. Keys are KEY_ codes
 * of emu/backend.h: set-1 scan codes, KEY_E0 added where there is a prefix.
 */
#ifndef DEVICES_HOST_KEYNAMES_H
#define DEVICES_HOST_KEYNAMES_H

#include <stdbool.h>
#include <stddef.h>

struct keyname {
    const char *name;
    unsigned key;
};

/* Every name, for completion and help; ends with a NULL name. */
extern const struct keyname keynames[];

/* The key called by these `length` characters; 0 when there is none. Numbers
 * (0x1c, 28) from 1 to 0xFF stand for codes. */
unsigned keyname_find(const char *name, size_t length);
/* The first name of a key, or NULL. */
const char *keyname_of(unsigned key);

#define KEYNAME_COMBO 16
/* Parses "ctrl-alt-delete": keys to press in order and release backwards.
 * Returns how many, or -EINVAL: an unknown name, none, or too many; *bad (if
 * not NULL) then points at the offending part. */
int keyname_combo(const char *text, unsigned keys[KEYNAME_COMBO],
                  const char **bad);

/* One press or release. */
struct keystroke {
    unsigned key;
    bool down;
};

#define KEYNAME_STROKES 4
/* What typing an ASCII character takes on a US keyboard: shift down, key down,
 * key up, shift up, or the middle two. '\n', '\r', '\t', '\b' and Esc (27) are
 * keys. Returns the number of strokes; 0 for what has no key. */
unsigned keyname_type(char character,
                      struct keystroke strokes[KEYNAME_STROKES]);

#endif
