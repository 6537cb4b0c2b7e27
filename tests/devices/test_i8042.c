/*
 * The keyboard controller, the keyboard and the mouse, as a BIOS and drivers
 * use them.
 */
#include "devices/i8042.h"
#include "tests/devices/rig.h"

#define SERIAL_NS 400000u

struct kbc {
    struct rig rig;
    struct device *dev;
};

static void open_kbc(struct kbc *k)
{
    rig_open(&k->rig);
    k->dev = rig_add(&k->rig, &i8042_class, NULL);
    rig_start(&k->rig);
    rig_map(&k->rig, k->dev, I8042_BANK_DATA, 0x60, 1);
    rig_map(&k->rig, k->dev, I8042_BANK_COMMAND, 0x64, 1);
}

static void command(struct kbc *k, unsigned value)
{
    rig_out(&k->rig, 0x64, value);
}

static void data(struct kbc *k, unsigned value)
{
    rig_out(&k->rig, 0x60, value);
}

static unsigned status(struct kbc *k)
{
    return rig_in(&k->rig, 0x64);
}

/* The next byte within the serial line's time; 0x100 when there is none.
 * Bytes of the mouse have 0x200 added. */
static unsigned next(struct kbc *k)
{
    if (!(status(k) & 1))
        rig_pass(&k->rig, SERIAL_NS);
    unsigned st = status(k);
    if (!(st & 1))
        return 0x100;
    return rig_in(&k->rig, 0x60) | (st & 0x20 ? 0x200 : 0);
}

static void expect(struct kbc *k, const char *name, const uint8_t *bytes,
                   unsigned count, unsigned flag)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned byte = next(k);
        if (byte != (bytes[i] | flag))
            printf("\n%s: byte %u is %03x, not %03x\n", name, i, byte,
                   bytes[i] | flag);
        CU_ASSERT_EQUAL(byte, bytes[i] | flag);
    }
    CU_ASSERT_EQUAL(next(k), 0x100);
}

#define EXPECT(K, ...)                                                         \
    expect(K, __func__, (const uint8_t[]){__VA_ARGS__},                        \
           sizeof((const uint8_t[]){__VA_ARGS__}), 0)
#define EXPECT_MOUSE(K, ...)                                                   \
    expect(K, __func__, (const uint8_t[]){__VA_ARGS__},                        \
           sizeof((const uint8_t[]){__VA_ARGS__}), 0x200)

static void set_mode(struct kbc *k, unsigned value)
{
    command(k, 0x60);
    data(k, value);
}

static void to_keyboard(struct kbc *k, unsigned value)
{
    data(k, value);
    CU_ASSERT_EQUAL(next(k), 0xFA);
}

static void to_mouse(struct kbc *k, unsigned value)
{
    command(k, 0xD4);
    data(k, value);
    CU_ASSERT_EQUAL(next(k), 0x2FA);
}

static void tap(struct kbc *k, unsigned key)
{
    i8042_key(k->dev, key, true);
    i8042_key(k->dev, key, false);
}

static void self_tests_answer(void)
{
    struct kbc k;
    open_kbc(&k);
    CU_ASSERT_EQUAL(status(&k), 0x10);
    command(&k, 0xAA);
    CU_ASSERT_EQUAL(status(&k), 0x1D); /* OBF at once, SYS, command */
    CU_ASSERT_EQUAL(next(&k), 0x55);
    CU_ASSERT_EQUAL(status(&k), 0x1C);
    command(&k, 0xAB);
    CU_ASSERT_EQUAL(next(&k), 0x00);
    command(&k, 0xA9);
    CU_ASSERT_EQUAL(next(&k), 0x00);
    rig_close(&k.rig);
}

static void command_byte_and_ram_read_back(void)
{
    struct kbc k;
    open_kbc(&k);
    set_mode(&k, 0x65);
    command(&k, 0x20);
    CU_ASSERT_EQUAL(next(&k), 0x65);
    command(&k, 0x7F);
    data(&k, 0x99);
    command(&k, 0x3F);
    CU_ASSERT_EQUAL(next(&k), 0x99);
    command(&k, 0xA7);
    command(&k, 0xAD);
    command(&k, 0x20);
    CU_ASSERT_EQUAL(next(&k), 0x75);
    command(&k, 0xA8);
    command(&k, 0xAE);
    command(&k, 0x20);
    CU_ASSERT_EQUAL(next(&k), 0x45);
    rig_close(&k.rig);
}

static void key_interrupts_and_is_translated(void)
{
    struct kbc k;
    open_kbc(&k);
    i8042_key(k.dev, 0x1E, true);
    CU_ASSERT_TRUE(k.rig.probe->level[I8042_OUT_IRQ1]);
    CU_ASSERT_EQUAL(rig_in(&k.rig, 0x60), 0x1E);
    CU_ASSERT_FALSE(k.rig.probe->level[I8042_OUT_IRQ1]);
    CU_ASSERT_EQUAL(rig_in(&k.rig, 0x60), 0x1E); /* the old byte stays */
    i8042_key(k.dev, 0x1E, false);
    CU_ASSERT_EQUAL(next(&k), 0x9E);
    CU_ASSERT_EQUAL(k.rig.probe->rises[I8042_OUT_IRQ1], 2);
    rig_close(&k.rig);
}

static void second_byte_takes_its_time_on_the_line(void)
{
    struct kbc k;
    open_kbc(&k);
    i8042_key(k.dev, KEY_E0 | 0x48, true);
    CU_ASSERT_EQUAL(rig_in(&k.rig, 0x60), 0xE0);
    CU_ASSERT_FALSE(status(&k) & 1);
    CU_ASSERT_EQUAL(rig_in(&k.rig, 0x60), 0xE0);
    rig_pass(&k.rig, SERIAL_NS - 1);
    CU_ASSERT_FALSE(status(&k) & 1);
    rig_pass(&k.rig, 1);
    CU_ASSERT_TRUE(k.rig.probe->level[I8042_OUT_IRQ1]);
    CU_ASSERT_EQUAL(rig_in(&k.rig, 0x60), 0x48);
    rig_close(&k.rig);
}

static void every_key_translates_to_its_set_1_code(void)
{
    struct kbc k;
    open_kbc(&k);
    for (unsigned key = 1; key < 0x59; key++) {
        tap(&k, key);
        EXPECT(&k, (uint8_t)key, (uint8_t)(key | 0x80));
    }
    /* Extended keys; E0 37 and E0 46 are special. */
    static const uint8_t extended[] = {0x1C, 0x1D, 0x35, 0x38, 0x47, 0x48,
                                       0x49, 0x4B, 0x4D, 0x4F, 0x50, 0x51,
                                       0x52, 0x53, 0x5B, 0x5C, 0x5D};
    for (unsigned i = 0; i < sizeof(extended); i++) {
        tap(&k, KEY_E0 | extended[i]);
        EXPECT(&k, 0xE0, extended[i], 0xE0, (uint8_t)(extended[i] | 0x80));
    }
    rig_close(&k.rig);
}

/* From the keyboard chapter's table of keys, not from the translation. */
static void set_2_codes_are_the_documented_ones(void)
{
    static const uint8_t code[0x59] = {
        0,    0x76, 0x16, 0x1E, 0x26, 0x25, 0x2E, 0x36, 0x3D, 0x3E, 0x46, 0x45,
        0x4E, 0x55, 0x66, 0x0D, 0x15, 0x1D, 0x24, 0x2D, 0x2C, 0x35, 0x3C, 0x43,
        0x44, 0x4D, 0x54, 0x5B, 0x5A, 0x14, 0x1C, 0x1B, 0x23, 0x2B, 0x34, 0x33,
        0x3B, 0x42, 0x4B, 0x4C, 0x52, 0x0E, 0x12, 0x5D, 0x1A, 0x22, 0x21, 0x2A,
        0x32, 0x31, 0x3A, 0x41, 0x49, 0x4A, 0x59, 0x7C, 0x11, 0x29, 0x58, 0x05,
        0x06, 0x04, 0x0C, 0x03, 0x0B, 0x83, 0x0A, 0x01, 0x09, 0x77, 0x7E, 0x6C,
        0x75, 0x7D, 0x7B, 0x6B, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7A, 0x70, 0x71,
        0x84, 0x60, 0x61, 0x78, 0x07,
    };
    struct kbc k;
    open_kbc(&k);
    set_mode(&k, 0x01);
    for (unsigned key = 1; key < sizeof(code); key++) {
        tap(&k, key);
        EXPECT(&k, code[key], 0xF0, code[key]);
    }
    rig_close(&k.rig);
}

static void raw_sets_1_2_and_3(void)
{
    struct kbc k;
    open_kbc(&k);
    set_mode(&k, 0x01);
    tap(&k, 0x1E); /* A */
    EXPECT(&k, 0x1C, 0xF0, 0x1C);
    tap(&k, 0x41); /* F7 */
    EXPECT(&k, 0x83, 0xF0, 0x83);
    tap(&k, KEY_E0 | 0x53); /* Delete */
    EXPECT(&k, 0xE0, 0x71, 0xE0, 0xF0, 0x71);
    to_keyboard(&k, 0xF0);
    to_keyboard(&k, 1);
    tap(&k, KEY_E0 | 0x53);
    EXPECT(&k, 0xE0, 0x53, 0xE0, 0xD3);
    to_keyboard(&k, 0xF0);
    to_keyboard(&k, 3);
    to_keyboard(&k, 0xF0);
    data(&k, 0);
    EXPECT(&k, 0xFA, 3);
    tap(&k, KEY_E0 | 0x53);
    EXPECT(&k, 0x64); /* make only */
    tap(&k, 0x2A);
    EXPECT(&k, 0x12, 0xF0, 0x12); /* shift reports its release */
    to_keyboard(&k, 0xF8);
    tap(&k, KEY_E0 | 0x53);
    EXPECT(&k, 0x64, 0xF0, 0x64);
    to_keyboard(&k, 0xFD);
    to_keyboard(&k, 0x64);
    tap(&k, KEY_E0 | 0x53);
    data(&k, 0xEE); /* ends FD's list; the echo overtakes the key */
    EXPECT(&k, 0xEE, 0x64);
    rig_close(&k.rig);
}

static void pause_and_print_screen(void)
{
    struct kbc k;
    open_kbc(&k);
    tap(&k, KEY_PAUSE);
    EXPECT(&k, 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5);
    tap(&k, KEY_E0 | 0x37);
    EXPECT(&k, 0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA);
    i8042_key(k.dev, 0x1D, true);
    tap(&k, KEY_PAUSE);
    EXPECT(&k, 0x1D, 0xE0, 0x46, 0xE0, 0xC6);
    i8042_key(k.dev, 0x1D, false);
    i8042_key(k.dev, 0x38, true);
    tap(&k, KEY_E0 | 0x37);
    EXPECT(&k, 0x9D, 0x38, 0x54, 0xD4);
    set_mode(&k, 0x01);
    i8042_key(k.dev, 0x38, false);
    tap(&k, KEY_PAUSE);
    EXPECT(&k, 0xF0, 0x11, 0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77);
    rig_close(&k.rig);
}

static void keyboard_commands_answer(void)
{
    struct kbc k;
    open_kbc(&k);
    set_mode(&k, 0x00);
    data(&k, 0xFF);
    CU_ASSERT_EQUAL(status(&k) & 1, 1); /* no wait for the first byte */
    EXPECT(&k, 0xFA, 0xAA);
    data(&k, 0xF2);
    EXPECT(&k, 0xFA, 0xAB, 0x83);
    data(&k, 0xEE);
    EXPECT(&k, 0xEE);
    data(&k, 0xFE);
    EXPECT(&k, 0xEE);
    data(&k, 0xEF);
    EXPECT(&k, 0xFE);
    to_keyboard(&k, 0xED);
    to_keyboard(&k, 0x05);
    CU_ASSERT_EQUAL(i8042_leds(k.dev), 5);
    to_keyboard(&k, 0xF3);
    to_keyboard(&k, 0xF4); /* a command instead of the argument */
    to_keyboard(&k, 0xF5);
    tap(&k, 0x1E);
    CU_ASSERT_EQUAL(next(&k), 0x100);
    to_keyboard(&k, 0xF4);
    tap(&k, 0x1E);
    EXPECT(&k, 0x1C, 0xF0, 0x1C);
    set_mode(&k, 0x40); /* answers are translated too */
    data(&k, 0xF2);
    EXPECT(&k, 0xFA, 0xAB, 0x41);
    rig_close(&k.rig);
}

static void disabled_keyboard_keeps_its_keys(void)
{
    struct kbc k;
    open_kbc(&k);
    command(&k, 0xAD);
    tap(&k, 0x02);
    CU_ASSERT_EQUAL(next(&k), 0x100);
    command(&k, 0xAE);
    EXPECT(&k, 0x02, 0x82);
    command(&k, 0xAD);
    data(&k, 0xEE); /* sending enables it */
    EXPECT(&k, 0xEE);
    rig_close(&k.rig);
}

static void overrun_drops_whole_keys_and_says_so(void)
{
    struct kbc k;
    open_kbc(&k);
    set_mode(&k, 0x00);
    for (unsigned i = 0; i < 1000; i++)
        tap(&k, KEY_E0 | 0x48);
    unsigned bytes = 0, overruns = 0, byte, before = 0;
    while ((byte = next(&k)) != 0x100) {
        overruns += byte == 0;
        /* A prefix is never left alone. */
        if (before == 0xE0)
            CU_ASSERT_TRUE(byte == 0x75 || byte == 0xF0);
        before = byte;
        CU_ASSERT_FATAL(++bytes < 1000);
    }
    CU_ASSERT_EQUAL(overruns, 1);
    CU_ASSERT_NOT_EQUAL(before, 0xE0);
    tap(&k, 0x1E);
    EXPECT(&k, 0x1C, 0xF0, 0x1C);
    rig_close(&k.rig);
}

static void impossible_keys_are_ignored(void)
{
    struct kbc k;
    open_kbc(&k);
    tap(&k, 0);
    tap(&k, 0x80);
    tap(&k, 0x100);
    tap(&k, 0xFFFFFFFF);
    i8042_key(k.dev, 0x1E, false); /* was never down */
    CU_ASSERT_EQUAL(next(&k), 0x100);
    rig_close(&k.rig);
}

static void output_buffer_can_be_written_from_outside(void)
{
    struct kbc k;
    open_kbc(&k);
    command(&k, 0xD2);
    data(&k, 0x5A);
    CU_ASSERT_TRUE(k.rig.probe->level[I8042_OUT_IRQ1]);
    CU_ASSERT_EQUAL(next(&k), 0x5A);
    command(&k, 0xD3); /* how Linux finds the mouse port */
    data(&k, 0xA5);
    CU_ASSERT_TRUE(k.rig.probe->level[I8042_OUT_IRQ12]);
    CU_ASSERT_EQUAL(next(&k), 0x2A5);
    CU_ASSERT_FALSE(k.rig.probe->level[I8042_OUT_IRQ12]);
    set_mode(&k, 0x00);
    command(&k, 0xD3);
    data(&k, 0xA5);
    CU_ASSERT_FALSE(k.rig.probe->level[I8042_OUT_IRQ12]);
    rig_close(&k.rig);
}

static void output_port_drives_a20_and_reset(void)
{
    struct kbc k;
    open_kbc(&k);
    const struct probe *p = k.rig.probe;
    CU_ASSERT_TRUE(p->level[I8042_OUT_A20]);
    command(&k, 0xD1);
    data(&k, 0xDD);
    CU_ASSERT_FALSE(p->level[I8042_OUT_A20]);
    command(&k, 0xD0);
    CU_ASSERT_EQUAL(next(&k) & 3, 1);
    command(&k, 0xD1);
    data(&k, 0xDF);
    CU_ASSERT_TRUE(p->level[I8042_OUT_A20]);
    command(&k, 0xDD);
    CU_ASSERT_FALSE(p->level[I8042_OUT_A20]);
    command(&k, 0xDF);
    CU_ASSERT_TRUE(p->level[I8042_OUT_A20]);
    CU_ASSERT_EQUAL(p->rises[I8042_OUT_RESET], 0);
    command(&k, 0xFF);
    CU_ASSERT_EQUAL(p->rises[I8042_OUT_RESET], 0);
    command(&k, 0xFE);
    CU_ASSERT_EQUAL(p->rises[I8042_OUT_RESET], 1);
    command(&k, 0xD1);
    data(&k, 0x02);
    CU_ASSERT_EQUAL(p->rises[I8042_OUT_RESET], 2);
    CU_ASSERT_TRUE(p->level[I8042_OUT_A20]);
    rig_close(&k.rig);
}

static void mouse_reports_movement_and_buttons(void)
{
    struct kbc k;
    open_kbc(&k);
    i8042_mouse(k.dev, 5, 5, 0, 0);
    CU_ASSERT_EQUAL(next(&k), 0x100); /* not before it is enabled */
    to_mouse(&k, 0xF4);
    i8042_mouse(k.dev, 10, -3, 0, 1);
    rig_pass(&k.rig, SERIAL_NS);
    CU_ASSERT_TRUE(k.rig.probe->level[I8042_OUT_IRQ12]);
    EXPECT_MOUSE(&k, 0x09, 10, 3); /* y grows upwards here */
    i8042_mouse(k.dev, -300, 1, 0, 6);
    EXPECT_MOUSE(&k, 0x3E, 0x00, 0xFF, 0x1E, 0xD4, 0x00); /* in two parts */
    i8042_mouse(k.dev, 0, 0, 0, 6);
    CU_ASSERT_EQUAL(next(&k), 0x100); /* nothing new */
    i8042_mouse(k.dev, 0, 0, 0, 0);
    EXPECT_MOUSE(&k, 0x08, 0, 0);
    rig_close(&k.rig);
}

static void mouse_wheel_is_unlocked_by_rates(void)
{
    struct kbc k;
    open_kbc(&k);
    command(&k, 0xD4);
    data(&k, 0xF2);
    EXPECT_MOUSE(&k, 0xFA, 0x00);
    static const uint8_t knock[] = {200, 200, 100, 80};
    for (unsigned i = 0; i < sizeof(knock); i++) {
        to_mouse(&k, 0xF3);
        to_mouse(&k, knock[i]);
    }
    command(&k, 0xD4);
    data(&k, 0xF2);
    EXPECT_MOUSE(&k, 0xFA, 0x03);
    to_mouse(&k, 0xF4);
    i8042_mouse(k.dev, 0, 0, -1, 0);
    EXPECT_MOUSE(&k, 0x08, 0, 0, 0xFF);
    command(&k, 0xD4);
    data(&k, 0xFF);
    EXPECT_MOUSE(&k, 0xFA, 0xAA, 0x00);
    command(&k, 0xD4);
    data(&k, 0xF2);
    EXPECT_MOUSE(&k, 0xFA, 0x00);
    rig_close(&k.rig);
}

static void mouse_status_remote_wrap_and_scaling(void)
{
    struct kbc k;
    open_kbc(&k);
    to_mouse(&k, 0xE8);
    to_mouse(&k, 3);
    to_mouse(&k, 0xF3);
    to_mouse(&k, 60);
    to_mouse(&k, 0xE7);
    to_mouse(&k, 0xF4);
    i8042_mouse(k.dev, 0, 0, 0, 1);
    EXPECT_MOUSE(&k, 0x09, 0, 0);
    command(&k, 0xD4);
    data(&k, 0xE9);
    EXPECT_MOUSE(&k, 0xFA, 0x34, 3, 60);
    i8042_mouse(k.dev, -7, -3, 0, 1); /* scaled 2:1 */
    EXPECT_MOUSE(&k, 0x19, (uint8_t)-14, 3);
    to_mouse(&k, 0xF0);
    i8042_mouse(k.dev, 7, 0, 0, 1);
    CU_ASSERT_EQUAL(next(&k), 0x100);
    command(&k, 0xD4);
    data(&k, 0xEB);
    EXPECT_MOUSE(&k, 0xFA, 0x09, 7, 0);
    to_mouse(&k, 0xEE);
    command(&k, 0xD4);
    data(&k, 0xE9);
    EXPECT_MOUSE(&k, 0xE9);
    to_mouse(&k, 0xEC);
    command(&k, 0xD4);
    data(&k, 0xE1);
    EXPECT_MOUSE(&k, 0xFE);
    rig_close(&k.rig);
}

static void keyboard_and_mouse_do_not_mix(void)
{
    struct kbc k;
    open_kbc(&k);
    to_mouse(&k, 0xF4);
    i8042_mouse(k.dev, 1, 0, 0, 0);
    tap(&k, 0x1E);
    unsigned mouse = 0, keys = 0, byte;
    while ((byte = next(&k)) != 0x100) {
        mouse += byte >= 0x200;
        keys += byte == 0x1E || byte == 0x9E;
    }
    CU_ASSERT_EQUAL(mouse, 3);
    CU_ASSERT_EQUAL(keys, 2);
    rig_close(&k.rig);
}

static void storm(void)
{
    struct kbc k;
    open_kbc(&k);
    uint64_t seed = 6;
    for (unsigned i = 0; i < 400; i++) {
        rig_storm(&k.rig, 500, rig_random(&seed));
        for (unsigned j = 0; j < 20; j++) {
            uint64_t n = rig_random(&seed);
            i8042_key(k.dev, (unsigned)n & 0x1FF, n >> 9 & 1);
            i8042_mouse(k.dev, (int)(n >> 10), (int)(n >> 20), (int)(n >> 30),
                        (unsigned)(n >> 40));
            command(&k, n >> 48 & 1 ? 0xD4 : 0xAE);
            data(&k, 0xE6 + (unsigned)(n >> 50) % 26);
        }
    }
    device_reset(k.dev);
    tap(&k, 0x1E);
    EXPECT(&k, 0x1E, 0x9E);
    rig_close(&k.rig);
}

static const struct test tests[] = {
    {"self_tests_answer", self_tests_answer},
    {"command_byte_and_ram_read_back", command_byte_and_ram_read_back},
    {"key_interrupts_and_is_translated", key_interrupts_and_is_translated},
    {"second_byte_takes_its_time_on_the_line",
     second_byte_takes_its_time_on_the_line},
    {"every_key_translates_to_its_set_1_code",
     every_key_translates_to_its_set_1_code},
    {"set_2_codes_are_the_documented_ones",
     set_2_codes_are_the_documented_ones},
    {"raw_sets_1_2_and_3", raw_sets_1_2_and_3},
    {"pause_and_print_screen", pause_and_print_screen},
    {"keyboard_commands_answer", keyboard_commands_answer},
    {"disabled_keyboard_keeps_its_keys", disabled_keyboard_keeps_its_keys},
    {"overrun_drops_whole_keys_and_says_so",
     overrun_drops_whole_keys_and_says_so},
    {"impossible_keys_are_ignored", impossible_keys_are_ignored},
    {"output_buffer_can_be_written_from_outside",
     output_buffer_can_be_written_from_outside},
    {"output_port_drives_a20_and_reset", output_port_drives_a20_and_reset},
    {"mouse_reports_movement_and_buttons", mouse_reports_movement_and_buttons},
    {"mouse_wheel_is_unlocked_by_rates", mouse_wheel_is_unlocked_by_rates},
    {"mouse_status_remote_wrap_and_scaling",
     mouse_status_remote_wrap_and_scaling},
    {"keyboard_and_mouse_do_not_mix", keyboard_and_mouse_do_not_mix},
    {"storm", storm},
    {NULL, NULL},
};

TEST_MAIN("i8042", tests)
