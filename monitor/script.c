/*
 * Scripts: a command a line, # begins a comment, the first failure ends it.
 * With TAP, each assert is a numbered "ok" or "not ok".
 */
#include "monitor/monitor.h"
#include "monitor/shell.h"

#include <errno.h>
#include <string.h>

/* Cuts a comment off: a # at the start or after a blank. */
static void cut(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    for (char *c = line; *c; c++)
        if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
            *c = '\0';
            break;
        }
}

static int run_lines(struct monitor *mon, const char *path, FILE *file)
{
    struct shell *shell = shell_of(mon);
    char line[SHELL_LINE];
    unsigned number = 0;

    while (!mon->quit && fgets(line, sizeof(line), file)) {
        number++;
        size_t length = strlen(line);
        if (length + 1 == sizeof(line) && line[length - 1] != '\n') {
            fprintf(mon->out, "%s:%u: the line is too long\n", path, number);
            return -1;
        }
        cut(line);
        if (line[strspn(line, " \t")] == '\0')
            continue;
        if (!shell->tap)
            fprintf(mon->out, "(vitrine) %s\n", line + strspn(line, " \t"));
        if (monitor_line(mon, line) < 0) {
            fprintf(mon->out, "%s%s:%u: failed: %s\n", shell->tap ? "# " : "",
                    path, number, line + strspn(line, " \t"));
            return -1;
        }
    }
    return 0;
}

int shell_script(struct monitor *mon, const char *path)
{
    struct shell *shell = shell_of(mon);

    if (shell->nest == SHELL_NEST)
        return shell_error(mon, "%s: scripts are nested too deeply", path);
    FILE *file = fopen(path, "re");
    if (!file)
        return shell_error(mon, "%s: %s", path, strerror(errno));
    shell->nest++;
    int result = run_lines(mon, path, file);
    shell->nest--;
    if (result == 0 && ferror(file))
        result = shell_error(mon, "%s: cannot be read", path);
    fclose(file);
    if (shell->nest == 0 && shell->tap)
        fprintf(mon->out, "1..%u\n", shell->asserts);
    return result;
}
