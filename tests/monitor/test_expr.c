/* Expressions: values, precedence, and what is said about bad ones. */
#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "monitor/expr.h"
#include "tests/support/test.h"

#include <string.h>

static bool evaluate(const char *text, uint64_t *value, char *error)
{
    struct machine *m = machine_new(1 << 20, 1);
    struct expr_context context = {.machine = m, .cpu = m->cpu[0]};
    const char *end;

    m->cpu[0]->r[R_AX] = UINT64_C(0x1122334455667788);
    cpu_set_eflags(m->cpu[0], FLAG_ZF | FLAG_IF | 2);
    m->ledger.count[EVENT_PIO] = 7;
    struct expr *e = expr_parse(text, NULL, false, &end, error);
    bool good = e && *end == '\0' && expr_eval(e, &context, value, error);
    expr_free(e);
    machine_free(m);
    return good;
}

static void is(const char *text, uint64_t wanted)
{
    char error[EXPR_ERROR] = "";
    uint64_t value = ~wanted;

    CU_ASSERT_TRUE(evaluate(text, &value, error));
    if (value != wanted)
        printf("%s is %llx\n", text, (unsigned long long)value);
    CU_ASSERT_EQUAL(value, wanted);
}

static void fails(const char *text, const char *word)
{
    char error[EXPR_ERROR] = "";
    uint64_t value;

    CU_ASSERT_FALSE(evaluate(text, &value, error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, word));
}

static void precedence_is_that_of_c(void)
{
    is("1 + 2 * 3", 7);
    is("(1 + 2) * 3", 9);
    is("1 << 4 | 1", 17);
    is("10 - 3 - 2", 5);
    is("1 == 1 && 2 < 1 || 5 >= 5", 1);
    is("~0 == -1", 1);
    is("0b101 ^ 0x1F", 26);
    is("0xf000:0xfff0", 0xFFFF0);
}

static void registers_of_all_sizes(void)
{
    is("rax", UINT64_C(0x1122334455667788));
    is("eax", 0x55667788);
    is("$ax", 0x7788);
    is("ah * 256 + al", 0x7788);
    is("zf + if * 2 + cf", 3);
    is("exits pio >= 3", 1);
}

static void right_side_is_left_alone_when_it_does_not_matter(void)
{
    is("0 && 1 / 0", 0);
    is("1 || 1 / 0", 1);
}

static void mistakes_are_named_with_their_place(void)
{
    fails("1 / 0", "division");
    fails("1 + ", "column 5");
    fails("7c00", "0x");
    fails("nosuch", "no register");
    fails("$nosuch", "no register");
    fails("0x10000000000000000", "64 bits");
    fails("(1", ") is missing");
    fails("byte [0xFFFFFFFF0000]", "no memory");
    fails("exits nothing", "no such kind");
}

static void deep_nesting_is_refused(void)
{
    char text[4096];

    memset(text, '(', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fails(text, "deeply");
    memset(text, '-', sizeof(text) - 1);
    fails(text, "deeply");
}

static const struct test tests[] = {
    {"precedence_is_that_of_c", precedence_is_that_of_c},
    {"registers_of_all_sizes", registers_of_all_sizes},
    {"right_side_is_left_alone_when_it_does_not_matter",
     right_side_is_left_alone_when_it_does_not_matter},
    {"mistakes_are_named_with_their_place",
     mistakes_are_named_with_their_place},
    {"deep_nesting_is_refused", deep_nesting_is_refused},
    {NULL, NULL},
};

TEST_MAIN("monitor/expr", tests)
