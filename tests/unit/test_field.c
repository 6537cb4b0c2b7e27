/* Field tables as text: what `info DEVICE` will show. */
#include "emu/clock.h"
#include "emu/field.h"
#include "tests/support/test.h"

#include <string.h>

struct sample {
    bool flag;
    uint8_t byte;
    uint16_t word;
    uint32_t dword;
    uint64_t qword;
    int32_t i32;
    int64_t i64;
    uint8_t few[3];
    uint16_t many[40];
    struct timer timer;
};

static const struct field fields[] = {
    FIELD(sample, flag, FIELD_BOOL),
    FIELD(sample, byte, FIELD_U8),
    FIELD(sample, word, FIELD_U16),
    FIELD(sample, dword, FIELD_U32),
    FIELD(sample, qword, FIELD_U64),
    FIELD(sample, i32, FIELD_I32),
    FIELD(sample, i64, FIELD_I64),
    FIELD_ARRAY(sample, few, FIELD_U8, 3),
    FIELD_ARRAY(sample, many, FIELD_U16, 40),
    FIELD(sample, timer, FIELD_TIMER),
    FIELD_END,
};

static struct sample make_sample(void)
{
    struct sample s = {
        .flag = true,
        .byte = 0xAB,
        .word = 0xBEEF,
        .dword = 0xDEADBEEF,
        .qword = UINT64_C(0x123456789ABCDEF0),
        .i32 = -7,
        .i64 = INT64_MIN,
        .few = {1, 2, 3},
        .timer = {.deadline_ns = 1500},
    };
    for (unsigned i = 0; i < 40; i++)
        s.many[i] = (uint16_t)i;
    return s;
}

static void every_type_prints_its_value(void)
{
    struct sample s = make_sample();
    char text[1024];

    field_print(fields, &s, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "flag=0x1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "byte=0xab\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "word=0xbeef\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "dword=0xdeadbeef\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "qword=0x123456789abcdef0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "i32=-7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "i64=-9223372036854775808\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "few=0x1,0x2,0x3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "timer=1500ns\n"));

    s.timer.deadline_ns = CLOCK_NEVER;
    field_print(fields, &s, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "timer=never\n"));
}

static void long_arrays_are_cut_with_dots(void)
{
    struct sample s = make_sample();
    char text[1024];

    field_print(fields, &s, text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ",0xf,...\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "0x10,"));
}

static void short_buffer_is_terminated_and_length_is_the_needed_one(void)
{
    struct sample s = make_sample();
    char full[1024], text[1024];
    size_t needed = field_print(fields, &s, full, sizeof(full));

    CU_ASSERT_EQUAL(needed, strlen(full));
    CU_ASSERT_EQUAL(field_print(fields, &s, NULL, 0), needed);
    for (size_t size = 1; size < needed + 2; size++) {
        memset(text, 'x', sizeof(text));
        CU_ASSERT_EQUAL(field_print(fields, &s, text, size), needed);
        size_t kept = size - 1 < needed ? size - 1 : needed;
        CU_ASSERT_EQUAL(strlen(text), kept);
        CU_ASSERT_EQUAL(memcmp(text, full, kept), 0);
        CU_ASSERT_EQUAL(text[size], 'x'); /* nothing beyond the buffer */
    }
}

static void sizes_are_those_of_the_c_types(void)
{
    CU_ASSERT_EQUAL(field_size(FIELD_BOOL), sizeof(bool));
    CU_ASSERT_EQUAL(field_size(FIELD_U8), 1);
    CU_ASSERT_EQUAL(field_size(FIELD_U16), 2);
    CU_ASSERT_EQUAL(field_size(FIELD_U32), 4);
    CU_ASSERT_EQUAL(field_size(FIELD_U64), 8);
    CU_ASSERT_EQUAL(field_size(FIELD_I32), 4);
    CU_ASSERT_EQUAL(field_size(FIELD_I64), 8);
    CU_ASSERT_EQUAL(field_size(FIELD_TIMER), sizeof(struct timer));
}

static const struct test tests[] = {
    {"every_type_prints_its_value", every_type_prints_its_value},
    {"long_arrays_are_cut_with_dots", long_arrays_are_cut_with_dots},
    {"short_buffer_is_terminated_and_length_is_the_needed_one",
     short_buffer_is_terminated_and_length_is_the_needed_one},
    {"sizes_are_those_of_the_c_types", sizes_are_those_of_the_c_types},
    {NULL, NULL},
};
TEST_MAIN("field", tests)
