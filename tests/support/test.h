/*
 * The frame of every C test: a table of named behaviours, run by CUnit.
 * Each tests/DIR/test_NAME.c is one program; its main is TEST_MAIN's.
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <CUnit/CUnit.h>

struct test {
    const char *name; /* the behaviour it pins: "count_wraps_in_mode_2" */
    void (*run)(void);
};

/* Runs the table (it ends with a NULL name), prints CUnit's summary and
 * returns the exit status: 0 when all passed. An argument on the command line
 * selects the tests whose name contains it. */
int test_main(const char *suite, const struct test *tests, int argc,
              char **argv);
/* Counts the running test as skipped, visibly; the test should return. */
void test_skip(const char *why);

#define TEST_MAIN(SUITE, TESTS)                                                \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        return test_main(SUITE, TESTS, argc, argv);                            \
    }

#endif
