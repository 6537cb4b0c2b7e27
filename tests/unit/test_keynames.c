/* Key names and typed text: the monitor's sendkey and the tests lean on it. */
#include "devices/host/keynames.h"
#include "emu/backend.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

static unsigned find(const char *name)
{
    return keyname_find(name, strlen(name));
}

static void names_are_set_1_scan_codes(void)
{
    CU_ASSERT_EQUAL(find("esc"), 0x01);
    CU_ASSERT_EQUAL(find("a"), 0x1E);
    CU_ASSERT_EQUAL(find("0"), 0x0B);
    CU_ASSERT_EQUAL(find("ret"), 0x1C);
    CU_ASSERT_EQUAL(find("spc"), 0x39);
    CU_ASSERT_EQUAL(find("f1"), 0x3B);
    CU_ASSERT_EQUAL(find("f12"), 0x58);
    CU_ASSERT_EQUAL(find("delete"), 0x53 | KEY_E0);
    CU_ASSERT_EQUAL(find("kp_decimal"), 0x53);
    CU_ASSERT_EQUAL(find("pause"), KEY_PAUSE);
    CU_ASSERT_EQUAL(find("0x1c"), 0x1C);
    CU_ASSERT_EQUAL(find("0xdd"), find("menu"));
    CU_ASSERT_EQUAL(find("28"), 28);
}

static void unknown_names_are_no_key(void)
{
    CU_ASSERT_EQUAL(find(""), 0);
    CU_ASSERT_EQUAL(find("A"), 0);
    CU_ASSERT_EQUAL(find("re"), 0);
    CU_ASSERT_EQUAL(find("rett"), 0);
    CU_ASSERT_EQUAL(find("0x"), 0);
    CU_ASSERT_EQUAL(find("0x1cq"), 0);
    CU_ASSERT_EQUAL(find("0x100"), 0);
    CU_ASSERT_EQUAL(find("99999999999"), 0);
}

static void every_name_is_found_once_and_is_a_key(void)
{
    for (const struct keyname *k = keynames; k->name; k++) {
        CU_ASSERT_EQUAL(find(k->name), k->key);
        CU_ASSERT(k->key == KEY_PAUSE || (k->key > 0 && k->key < 0x100));
        CU_ASSERT_PTR_NULL(strchr(k->name, '-'));
        const char *first = keyname_of(k->key);
        CU_ASSERT_PTR_NOT_NULL_FATAL(first);
        CU_ASSERT_EQUAL(find(first), k->key);
        for (const struct keyname *l = k + 1; l->name; l++)
            CU_ASSERT_NOT_EQUAL(strcmp(k->name, l->name), 0);
    }
    CU_ASSERT_PTR_NULL(keyname_of(0));
    CU_ASSERT_PTR_NULL(keyname_of(0xFF));
}

static void combinations_split_at_dashes(void)
{
    unsigned keys[KEYNAME_COMBO];
    const char *bad = NULL;

    CU_ASSERT_EQUAL(keyname_combo("ctrl-alt-delete", keys, &bad), 3);
    CU_ASSERT_EQUAL(keys[0], 0x1D);
    CU_ASSERT_EQUAL(keys[1], 0x38);
    CU_ASSERT_EQUAL(keys[2], 0xD3);
    CU_ASSERT_PTR_NULL(bad);
    CU_ASSERT_EQUAL(keyname_combo("a", keys, NULL), 1);

    const char *text = "ctrl-hat-c";
    CU_ASSERT_EQUAL(keyname_combo(text, keys, &bad), -EINVAL);
    CU_ASSERT_PTR_EQUAL(bad, text + 5);
    CU_ASSERT_EQUAL(keyname_combo("", keys, &bad), -EINVAL);
    CU_ASSERT_EQUAL(keyname_combo("a-", keys, &bad), -EINVAL);
    CU_ASSERT_EQUAL(keyname_combo("-a", keys, &bad), -EINVAL);
    CU_ASSERT_EQUAL(keyname_combo("a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a", keys, 0),
                    16);
    CU_ASSERT_EQUAL(keyname_combo("a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a", keys, 0),
                    -EINVAL);
}

static void text_is_typed_as_on_a_us_keyboard(void)
{
    static const struct {
        char character;
        const char *name;
        bool shifted;
    } cases[] = {
        {'a', "a", false},           {'A', "a", true},
        {'1', "1", false},           {'!', "1", true},
        {'0', "0", false},           {')', "0", true},
        {'-', "minus", false},       {'+', "equal", true},
        {'[', "bracket_left", 0},    {'}', "bracket_right", true},
        {';', "semicolon", false},   {'"', "apostrophe", true},
        {'~', "grave_accent", true}, {'\\', "backslash", false},
        {'|', "backslash", true},    {'z', "z", false},
        {'?', "slash", true},        {'<', "comma", true},
        {' ', "spc", false},         {'\n', "ret", false},
        {'\t', "tab", false},        {'\b', "backspace", false},
        {27, "esc", false},
    };
    struct keystroke s[KEYNAME_STROKES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned n = keyname_type(cases[i].character, s);
        unsigned at = cases[i].shifted ? 1 : 0;
        CU_ASSERT_EQUAL_FATAL(n, cases[i].shifted ? 4u : 2u);
        CU_ASSERT_EQUAL(s[at].key, find(cases[i].name));
        CU_ASSERT(s[at].down);
        CU_ASSERT_EQUAL(s[at + 1].key, s[at].key);
        CU_ASSERT_FALSE(s[at + 1].down);
        if (cases[i].shifted) {
            CU_ASSERT(s[0].key == 0x2A && s[0].down);
            CU_ASSERT(s[3].key == 0x2A && !s[3].down);
        }
    }
}

static void every_printable_character_has_its_own_keys(void)
{
    struct keystroke a[KEYNAME_STROKES], b[KEYNAME_STROKES];

    for (int c = ' '; c < 0x7F; c++) {
        unsigned n = keyname_type((char)c, a);
        CU_ASSERT_FATAL(n == 2 || n == 4);
        for (int d = c + 1; d < 0x7F; d++) {
            unsigned m = keyname_type((char)d, b);
            CU_ASSERT(m != n || a[n / 2 - 1].key != b[n / 2 - 1].key);
        }
    }
    CU_ASSERT_EQUAL(keyname_type('\0', a), 0);
    CU_ASSERT_EQUAL(keyname_type((char)0xE4, a), 0);
    CU_ASSERT_EQUAL(keyname_type(1, a), 0);
}

static const struct test tests[] = {
    {"names_are_set_1_scan_codes", names_are_set_1_scan_codes},
    {"unknown_names_are_no_key", unknown_names_are_no_key},
    {"every_name_is_found_once_and_is_a_key",
     every_name_is_found_once_and_is_a_key},
    {"combinations_split_at_dashes", combinations_split_at_dashes},
    {"text_is_typed_as_on_a_us_keyboard", text_is_typed_as_on_a_us_keyboard},
    {"every_printable_character_has_its_own_keys",
     every_printable_character_has_its_own_keys},
    {NULL, NULL},
};

TEST_MAIN("keynames", tests)
