#include "tests/support/test.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static unsigned skipped;

void test_skip(const char *why)
{
    skipped++;
    printf(" SKIPPED: %s ", why);
}

int test_main(const char *suite, const struct test *tests, int argc,
              char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite registered = CU_add_suite(suite, NULL, NULL);
    for (const struct test *t = tests; registered && t->name; t++) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        if (!CU_add_test(registered, t->name, t->run))
            return 1;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned ran = CU_get_number_of_tests_run();
    unsigned failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    unsigned passed = ran - failed - (skipped < ran - failed ? skipped : 0);
    /* tests/run adds these lines up. */
    printf("RESULT %s: %u passed, %u failed, %u skipped\n", suite, passed,
           failed, skipped);
    return failed == 0 && ran > 0 ? 0 : 1;
}
