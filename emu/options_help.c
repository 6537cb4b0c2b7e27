/*
 * What people read: -help, `-device help` and its like, and the manual page.
 * All of it is made from the tables, so that none of it can be out of date.
 */
#include "emu/options_table.h"

#include "emu/log.h"
#include "emu/x86/cpuid.h"

#include <string.h>

#define HELP_COLUMN 26

const struct option_choice option_choices[] = {
    {"machine", "pc", "i440FX + PIIX3/PIIX4 (default)"},
    {"accel", "interp", "interpreter (default)"},
    {"device", "isa-debug-exit",
     "ends the process: writing N to iobase gives exit code N * 2 + 1"},
    {"device", "isa-debugcon", "what is written to iobase goes to chardev=ID"},
    {"vga", "std", "VGA with the Bochs VBE extension (default)"},
    {"vga", "none", "no display adapter"},
    {"display", "none", "no window"},
    {"display", "sdl", "a window (default where there is a desktop)"},
    {"L", "/usr/share/seabios", "SeaBIOS"},
    {"L", "/usr/share/vgabios", "VGA BIOS"},
    {"L", "/usr/share/qemu", "firmware that QEMU brings"},
    {"L", "/usr/share/ovmf", "OVMF"},
    {"L", "/usr/share/OVMF", "OVMF"},
    {NULL, NULL, NULL},
};

/* Prints text in lines of at most 79 columns, the later ones indented. */
static void print_wrapped(FILE *out, const char *text, int column, int indent)
{
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column > indent && column + 1 + (int)length > 79) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)length, text);
        column += (int)length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void options_print_help(FILE *out)
{
    fprintf(out,
            "vitrine %s: a PC in a glass case. Its options are QEMU's.\n"
            "usage: vitrine [options] [disk image]\n",
            OPTIONS_VERSION);
    for (const struct option_entry *e = option_table; e->name; e++) {
        if (!e->help || e->handle == option_later)
            continue;
        if (e->group)
            fprintf(out, "\n%s:\n", e->group);
        int used = fprintf(out, "-%s%s%s", e->name, e->arg ? " " : "",
                           e->arg ? e->arg : "");
        if (used >= HELP_COLUMN) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%*s", HELP_COLUMN - used, "");
        print_wrapped(out, e->help, HELP_COLUMN, HELP_COLUMN);
    }
    fprintf(out, "\nWith -nographic or -serial mon:stdio: Ctrl-A x leaves, "
                 "Ctrl-A h helps.\n");
}

void options_print_list(const struct options *options, FILE *out)
{
    if (strcmp(options->list, "d") == 0) {
        for (const struct log_help *item = log_items; item->name; item++)
            fprintf(out, "%-16s%s\n", item->name, item->help);
        return;
    }
    if (strcmp(options->list, "cpu") == 0)
        for (const struct cpu_model *m = cpu_models; m->name; m++)
            fprintf(out, "%-20s%s%s\n", m->name, m->brand,
                    m == cpu_models ? " (default)" : "");
    if (strcmp(options->list, "L") == 0)
        for (unsigned i = 0; i < options->paths; i++)
            fprintf(out, "%s\n", options->path[i]);
    for (const struct option_choice *c = option_choices; c->topic; c++)
        if (strcmp(c->topic, options->list) == 0)
            fprintf(out, "%-20s%s\n", c->name, c->help);
}

/* troff: a hyphen that is typed is \-, and a leading dot is a request. */
static void print_troff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void print_man_options(FILE *out)
{
    for (const struct option_entry *e = option_table; e->name; e++) {
        if (!e->help || e->handle == option_later)
            continue;
        if (e->group)
            fprintf(out, ".SS %s\n", e->group);
        fprintf(out, ".TP\n.B \\-");
        print_troff(out, e->name);
        if (e->arg) {
            fputc(' ', out);
            print_troff(out, e->arg);
        }
        fputc('\n', out);
        print_troff(out, e->help);
        fputs(".\n", out);
        for (const struct option_choice *c = option_choices; c->topic; c++) {
            if (strcmp(c->topic, e->name) != 0)
                continue;
            fprintf(out, ".br\n.I ");
            print_troff(out, c->name);
            fprintf(out, "\n\\(en ");
            print_troff(out, c->help);
            fputc('\n', out);
        }
    }
}

void options_print_man(FILE *out)
{
    fprintf(out,
            ".\\\" Made by `vitrine -generate-man`; do not edit.\n"
            ".TH VITRINE 1 \"\" \"vitrine %s\" \"User Commands\"\n"
            ".SH NAME\nvitrine \\- a PC in a glass case: an educational "
            "full\\-system x86 emulator\n"
            ".SH SYNOPSIS\n.B vitrine\n[options] [disk image]\n"
            ".SH DESCRIPTION\n"
            "Vitrine emulates a PC (i440FX, PIIX) and shows what happens in "
            "it. Its options are those of\n.BR qemu\\-system\\-x86_64 (1),\n"
            "so that a Makefile written for QEMU works with\n"
            ".IR QEMU=vitrine .\n"
            ".SH OPTIONS\n",
            OPTIONS_VERSION);
    print_man_options(out);
    fprintf(out, ".SS Log items of \\-d\n");
    for (const struct log_help *item = log_items; item->name; item++) {
        fprintf(out, ".TP\n.B ");
        print_troff(out, item->name);
        fputc('\n', out);
        print_troff(out, item->help);
        fputc('\n', out);
    }
    fprintf(out,
            ".SH KEYS\nWith \\-nographic or \\-serial mon:stdio the terminal "
            "is the first serial port:\n"
            ".TP\n.B Ctrl\\-A x\nleaves\n"
            ".TP\n.B Ctrl\\-A h\nlists these keys\n"
            ".TP\n.B Ctrl\\-A Ctrl\\-A\nsends Ctrl\\-A\n"
            ".SH EXIT STATUS\n0 after a shutdown by the guest or the user; 1 "
            "when something is wrong with the options or the files; what the "
            "guest asked for when it used isa\\-debug\\-exit.\n"
            ".SH SEE ALSO\n.BR qemu\\-system\\-x86_64 (1),\n"
            ".BR bochs (1)\n");
}
