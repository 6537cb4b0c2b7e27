/* The table of commands, and 10,000 random lines. */
#include "monitor/shell.h"
#include "tests/support/test.h"

#include <string.h>

static void every_command_has_help_and_one_name(void)
{
    const struct command *c, *other;

    for (unsigned i = 0; (c = command_at(i)); i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(c->help);
        CU_ASSERT_TRUE(*c->help != '\0');
        CU_ASSERT_PTR_NOT_NULL(c->run);
        for (unsigned j = 0; j < i && (other = command_at(j)); j++)
            if (strcmp(c->name, other->name) == 0) {
                printf("%s twice\n", c->name);
                CU_FAIL("a name twice");
            }
    }
}

static void every_name_and_alias_finds_its_command(void)
{
    const struct command *c;
    char error[1024], word[64];
    const char *rest;

    for (unsigned i = 0; (c = command_at(i)); i++) {
        CU_ASSERT_PTR_EQUAL(command_find(c->name, &rest, error, sizeof(error)),
                            c);
        for (const char *a = c->aliases; a && *a;) {
            size_t n = strcspn(a, " ");
            snprintf(word, sizeof(word), "%.*s", (int)n, a);
            if (command_find(word, &rest, error, sizeof(error)) != c) {
                printf("alias %s of %s: %s\n", word, c->name, error);
                CU_FAIL("an alias twice");
            }
            a += n + (a[n] == ' ');
        }
    }
}

/* No engine: what would run stops at once. Files and ports stay untouched. */
static bool harmless(const char *line)
{
    static const char *const not[] = {"to", "dump", "save", "load",
                                      "source", "symbol", "quit", "q"};

    for (unsigned i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
        if (strstr(line, not [i]))
            return false;
    return true;
}

static void random_lines_do_no_harm(void)
{
    static const char *const words[] = {
        "if", "on", "pio", "mode", "0x10", "==", "(", ")", "[", "]", "rax",
        "1", "-1", "0xffffffffffffffff", "byte", "phys", "cr-write", "\"",
        "off", "exits", "'", "&&", "/", "%", "all", "\xff", "ctrl-x", "%s%n",
    };
    struct machine *m = machine_new(1 << 20, 1);
    FILE *out = fopen("/dev/null", "w");
    struct monitor *mon = monitor_new(m, out);
    uint64_t seed = 42;
    unsigned commands = 0, run = 0;

    while (command_at(commands))
        commands++;
    for (unsigned i = 0; i < 10000; i++) {
        char line[512];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int used =
            snprintf(line, sizeof(line), "%s",
                     command_at((unsigned)(seed >> 33) % commands)->name);
        for (unsigned n = (unsigned)(seed >> 20) % 7; n; n--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            used += snprintf(
                line + used, sizeof(line) - (size_t)used, " %s",
                words[(seed >> 33) % (sizeof(words) / sizeof(words[0]))]);
        }
        if (!harmless(line))
            continue;
        int result = monitor_line(mon, line);
        CU_ASSERT_TRUE(result == 0 || result == -1);
        run++;
    }
    CU_ASSERT_TRUE(run > 5000);
    monitor_free(mon);
    fclose(out);
    machine_free(m);
}

static const struct test tests[] = {
    {"every_command_has_help_and_one_name",
     every_command_has_help_and_one_name},
    {"every_name_and_alias_finds_its_command",
     every_name_and_alias_finds_its_command},
    {"random_lines_do_no_harm", random_lines_do_no_harm},
    {NULL, NULL},
};

TEST_MAIN("monitor/command", tests)
