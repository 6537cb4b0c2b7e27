/* Devices: allocation, optional functions, wires. */
#include "emu/device.h"
#include "tests/support/test.h"

#include <errno.h>
#include <string.h>

struct state {
    unsigned resets, lines, last_line;
    bool last_level;
    unsigned *finis;
    uint8_t rest[64];
};

static int init(struct device *dev)
{
    struct state *s = dev->state;

    s->finis = (unsigned *)(uintptr_t)dev->config;
    return s->finis ? 0 : -EINVAL;
}

static void reset(struct device *dev)
{
    struct state *s = dev->state;

    s->resets++;
}

static void fini(struct device *dev)
{
    struct state *s = dev->state;

    if (s->finis)
        ++*s->finis;
}

static void line(struct device *dev, unsigned n, bool level)
{
    struct state *s = dev->state;

    s->lines++;
    s->last_line = n;
    s->last_level = level;
}

static const struct device_class full = {.name = "full",
                                         .state_size = sizeof(struct state),
                                         .max_access = 1,
                                         .init = init,
                                         .reset = reset,
                                         .fini = fini,
                                         .line = line};
static const struct device_class bare = {.name = "bare", .max_access = 1};

static void state_is_zeroed_and_parts_are_handed_over(void)
{
    struct clock clock;
    struct bus memory, io;
    struct log log;
    struct state zero;

    memset(&zero, 0, sizeof(zero));
    struct device *dev = device_new(&full, "x", &clock, &memory, &io, &log);
    CU_ASSERT_PTR_NOT_NULL_FATAL(dev);
    CU_ASSERT_EQUAL(memcmp(dev->state, &zero, sizeof(zero)), 0);
    CU_ASSERT_STRING_EQUAL(dev->name, "x");
    CU_ASSERT_PTR_EQUAL(dev->clock, &clock);
    CU_ASSERT_PTR_EQUAL(dev->memory, &memory);
    CU_ASSERT_PTR_EQUAL(dev->io, &io);
    CU_ASSERT_PTR_EQUAL(dev->log, &log);
    CU_ASSERT_PTR_NULL(dev->out[0].to);
    CU_ASSERT_PTR_NULL(dev->drive[0]);
    device_free(dev);
}

static void life_runs_init_reset_fini(void)
{
    unsigned finis = 0;
    struct device *dev = device_new(&full, "x", NULL, NULL, NULL, NULL);

    dev->config = &finis;
    CU_ASSERT_EQUAL(device_init(dev), 0);
    device_reset(dev);
    device_reset(dev);
    CU_ASSERT_EQUAL(((struct state *)dev->state)->resets, 2);
    device_free(dev);
    CU_ASSERT_EQUAL(finis, 1);
    device_free(NULL);
}

static void failed_init_reports_and_can_be_freed(void)
{
    struct device *dev = device_new(&full, "x", NULL, NULL, NULL, NULL);

    CU_ASSERT_EQUAL(device_init(dev), -EINVAL);
    device_free(dev);
}

static void class_without_functions_is_a_device_too(void)
{
    struct device *dev = device_new(&bare, "x", NULL, NULL, NULL, NULL);

    CU_ASSERT_EQUAL(device_init(dev), 0);
    device_reset(dev);
    device_wire(dev, 0, dev, 0);
    device_drive(dev, 0, true); /* to a device that takes no lines */
    CU_ASSERT_PTR_NOT_NULL(dev->state);
    device_free(dev);
}

static void wire_leads_to_the_line_it_was_soldered_to(void)
{
    struct device *a = device_new(&bare, "a", NULL, NULL, NULL, NULL);
    struct device *b = device_new(&full, "b", NULL, NULL, NULL, NULL);
    struct state *s = b->state;

    device_wire(a, 5, b, 9);
    device_drive(a, 4, true); /* not connected */
    CU_ASSERT_EQUAL(s->lines, 0);
    device_drive(a, 5, true);
    CU_ASSERT(s->lines == 1 && s->last_line == 9 && s->last_level);
    device_drive(a, 5, true); /* the same level again is heard */
    CU_ASSERT_EQUAL(s->lines, 2);
    device_drive(a, 5, false);
    CU_ASSERT(s->lines == 3 && !s->last_level);
    device_wire(a, 5, NULL, 0);
    device_drive(a, 5, true);
    CU_ASSERT_EQUAL(s->lines, 3);
    device_free(a);
    device_free(b);
}

static void outputs_beyond_the_last_do_nothing(void)
{
    struct device *a = device_new(&bare, "a", NULL, NULL, NULL, NULL);
    struct device *b = device_new(&full, "b", NULL, NULL, NULL, NULL);

    device_wire(a, DEVICE_WIRES, b, 1);
    device_drive(a, DEVICE_WIRES, true);
    device_drive(a, ~0u, true);
    CU_ASSERT_EQUAL(((struct state *)b->state)->lines, 0);
    CU_ASSERT_PTR_NULL(a->next);
    device_free(a);
    device_free(b);
}

static const struct test tests[] = {
    {"state_is_zeroed_and_parts_are_handed_over",
     state_is_zeroed_and_parts_are_handed_over},
    {"life_runs_init_reset_fini", life_runs_init_reset_fini},
    {"failed_init_reports_and_can_be_freed",
     failed_init_reports_and_can_be_freed},
    {"class_without_functions_is_a_device_too",
     class_without_functions_is_a_device_too},
    {"wire_leads_to_the_line_it_was_soldered_to",
     wire_leads_to_the_line_it_was_soldered_to},
    {"outputs_beyond_the_last_do_nothing", outputs_beyond_the_last_do_nothing},
    {NULL, NULL},
};
TEST_MAIN("device", tests)
