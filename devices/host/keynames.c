/*
 * Key names and typed characters. Scan codes are set 1 of the IBM PC/AT
 * keyboard (Microsoft, "Keyboard Scan Code Specification", rev. 1.3a); names
 * are QEMU's QKeyCode.
 *
 * Not modelled: keyboard layouts other than US for typed text; QEMU's names of
 * Sun and application keys.
 */
#include "devices/host/keynames.h"

#include "emu/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define E0(CODE) ((CODE) | KEY_E0)

const struct keyname keynames[] = {
    {"shift", 0x2A}, {"shift_r", 0x36}, {"alt", 0x38}, {"alt_r", E0(0x38)},
    {"ctrl", 0x1D}, {"ctrl_r", E0(0x1D)}, {"meta_l", E0(0x5B)},
    {"meta_r", E0(0x5C)}, {"menu", E0(0x5D)}, {"compose", E0(0x5D)},
    {"esc", 0x01}, {"1", 0x02}, {"2", 0x03}, {"3", 0x04}, {"4", 0x05},
    {"5", 0x06}, {"6", 0x07}, {"7", 0x08}, {"8", 0x09}, {"9", 0x0A},
    {"0", 0x0B}, {"minus", 0x0C}, {"equal", 0x0D}, {"backspace", 0x0E},
    {"tab", 0x0F}, {"q", 0x10}, {"w", 0x11}, {"e", 0x12}, {"r", 0x13},
    {"t", 0x14}, {"y", 0x15}, {"u", 0x16}, {"i", 0x17}, {"o", 0x18},
    {"p", 0x19}, {"bracket_left", 0x1A}, {"bracket_right", 0x1B},
    {"ret", 0x1C}, {"a", 0x1E}, {"s", 0x1F}, {"d", 0x20}, {"f", 0x21},
    {"g", 0x22}, {"h", 0x23}, {"j", 0x24}, {"k", 0x25}, {"l", 0x26},
    {"semicolon", 0x27}, {"apostrophe", 0x28}, {"grave_accent", 0x29},
    {"backslash", 0x2B}, {"z", 0x2C}, {"x", 0x2D}, {"c", 0x2E}, {"v", 0x2F},
    {"b", 0x30}, {"n", 0x31}, {"m", 0x32}, {"comma", 0x33}, {"dot", 0x34},
    {"slash", 0x35}, {"kp_multiply", 0x37}, {"asterisk", 0x37},
    {"spc", 0x39}, {"caps_lock", 0x3A}, {"f1", 0x3B}, {"f2", 0x3C},
    {"f3", 0x3D}, {"f4", 0x3E}, {"f5", 0x3F}, {"f6", 0x40}, {"f7", 0x41},
    {"f8", 0x42}, {"f9", 0x43}, {"f10", 0x44}, {"f11", 0x57}, {"f12", 0x58},
    {"num_lock", 0x45}, {"scroll_lock", 0x46}, {"kp_7", 0x47},
    {"kp_8", 0x48}, {"kp_9", 0x49}, {"kp_subtract", 0x4A}, {"kp_4", 0x4B},
    {"kp_5", 0x4C}, {"kp_6", 0x4D}, {"kp_add", 0x4E}, {"kp_1", 0x4F},
    {"kp_2", 0x50}, {"kp_3", 0x51}, {"kp_0", 0x52}, {"kp_decimal", 0x53},
    {"kp_enter", E0(0x1C)}, {"kp_divide", E0(0x35)}, {"kp_equals", 0x59},
    {"kp_comma", 0x7E}, {"sysrq", 0x54}, {"print", E0(0x37)},
    {"pause", KEY_PAUSE}, {"less", 0x56}, {"home", E0(0x47)},
    {"up", E0(0x48)}, {"pgup", E0(0x49)}, {"left", E0(0x4B)},
    {"right", E0(0x4D)}, {"end", E0(0x4F)}, {"down", E0(0x50)},
    {"pgdn", E0(0x51)}, {"insert", E0(0x52)}, {"delete", E0(0x53)},
    {"ro", 0x73}, {"yen", 0x7D}, {"henkan", 0x79}, {"muhenkan", 0x7B},
    {"hiragana", 0x70}, {"katakanahiragana", 0x70}, {"power", E0(0x5E)},
    {"sleep", E0(0x5F)}, {"wake", E0(0x63)}, {"audioprev", E0(0x10)},
    {"audionext", E0(0x19)}, {"audiomute", E0(0x20)},
    {"calculator", E0(0x21)}, {"audioplay", E0(0x22)},
    {"audiostop", E0(0x24)}, {"volumedown", E0(0x2E)},
    {"volumeup", E0(0x30)}, {"computer", E0(0x6B)}, {"mail", E0(0x6C)},
    {"mediaselect", E0(0x6D)}, {NULL, 0},
};

/* "0x1c" or "28"; but a single digit is the key of that name. */
static unsigned parse_code(const char *name, size_t length)
{
    char digits[8], *end;

    if (length == 0 || length >= sizeof(digits) || name[0] < '0' ||
        name[0] > '9')
        return 0;
    memcpy(digits, name, length);
    digits[length] = '\0';
    unsigned long code = strtoul(digits, &end, 0);
    return *end || code > 0xFF ? 0 : (unsigned)code;
}

unsigned keyname_find(const char *name, size_t length)
{
    for (const struct keyname *k = keynames; k->name; k++) {
        if (strlen(k->name) == length && !strncmp(k->name, name, length))
            return k->key;
    }
    return parse_code(name, length);
}

const char *keyname_of(unsigned key)
{
    for (const struct keyname *k = keynames; k->name; k++) {
        if (k->key == key)
            return k->name;
    }
    return NULL;
}

int keyname_combo(const char *text, unsigned keys[KEYNAME_COMBO],
                  const char **bad)
{
    const char *at = text;

    for (int count = 0; count < KEYNAME_COMBO; count++) {
        size_t length = strcspn(at, "-");
        keys[count] = keyname_find(at, length);
        if (keys[count] == 0)
            break;
        if (at[length] == '\0')
            return count + 1;
        at += length + 1;
    }
    if (bad)
        *bad = at;
    return -EINVAL;
}

/* Finds the key of a printable character. Pairs: plain and shifted. */
static unsigned key_of_character(char character, bool *shifted)
{
    static const struct {
        unsigned char first; /* scan code of the row's first key */
        const char *plain, *shifted;
    } rows[] = {
        {0x02, "1234567890-=", "!@#$%^&*()_+"},
        {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
        {0x1E, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
        {0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
        {0x39, " ", " "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *hit = strchr(rows[i].plain, character);
        *shifted = false;
        if (hit)
            return rows[i].first + (unsigned)(hit - rows[i].plain);
        hit = strchr(rows[i].shifted, character);
        *shifted = true;
        if (hit)
            return rows[i].first + (unsigned)(hit - rows[i].shifted);
    }
    return 0;
}

unsigned keyname_type(char character, struct keystroke strokes[KEYNAME_STROKES])
{
    bool shifted = false;
    unsigned key, count = 0;

    switch (character) {
    case '\0':
        return 0;
    case '\n':
    case '\r':
        key = 0x1C;
        break;
    case '\t':
        key = 0x0F;
        break;
    case '\b':
        key = 0x0E;
        break;
    case 27:
        key = 0x01;
        break;
    default:
        key = key_of_character(character, &shifted);
    }
    if (key == 0)
        return 0;
    if (shifted)
        strokes[count++] = (struct keystroke){0x2A, true};
    strokes[count++] = (struct keystroke){key, true};
    strokes[count++] = (struct keystroke){key, false};
    if (shifted)
        strokes[count++] = (struct keystroke){0x2A, false};
    return count;
}
