/* The command line: what QEMU's options mean, and the errors' words. */
#include "emu/options.h"
#include "emu/options_table.h"
#include "tests/support/test.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 24

/* Splits `line` at blanks and parses it. The words live until release(). */
struct parsed {
    struct options o;
    char *words;
    char *argv[MAX_ARGS];
    int argc, result;
};

static void parse(struct parsed *t, const char *line)
{
    t->words = strdup(line);
    t->argc = 0;
    t->argv[t->argc++] = (char *)(uintptr_t) "vitrine";
    for (char *word = strtok(t->words, " "); word; word = strtok(NULL, " "))
        t->argv[t->argc++] = word;
    t->result = options_parse(&t->o, t->argc, t->argv);
}

static void release(struct parsed *t)
{
    options_free(&t->o);
    free(t->words);
}

/* The line must be refused, in one line that has each of the words. */
static void refused(const char *line, ...)
{
    struct parsed t;
    va_list ap;

    parse(&t, line);
    CU_ASSERT_EQUAL(t.result, -1);
    CU_ASSERT_PTR_NULL(strchr(t.o.error, '\n'));
    va_start(ap, line);
    for (const char *w = va_arg(ap, const char *); w;
         w = va_arg(ap, const char *)) {
        if (!strstr(t.o.error, w))
            printf("\n  \"%s\" lacks \"%s\": %s\n", line, w, t.o.error);
        CU_ASSERT_PTR_NOT_NULL(strstr(t.o.error, w));
    }
    va_end(ap);
    release(&t);
}

static void accepted(struct parsed *t, const char *line)
{
    parse(t, line);
    if (t->result)
        printf("\n  \"%s\": %s\n", line, t->o.error);
    CU_ASSERT_EQUAL(t->result, 0);
}

static void ok(const char *line)
{
    struct parsed t;
    accepted(&t, line);
    release(&t);
}

static void test_defaults(void)
{
    struct parsed t;
    accepted(&t, "");
    CU_ASSERT_EQUAL(t.o.action, OPTIONS_RUN);
    CU_ASSERT_EQUAL(t.o.ram_bytes, UINT64_C(128) << 20);
    CU_ASSERT_EQUAL(t.o.cpus, 1);
    CU_ASSERT_STRING_EQUAL(t.o.accel, "interp");
    CU_ASSERT_EQUAL(t.o.serials, 1);
    CU_ASSERT_STRING_EQUAL(t.o.serial[0], "vc");
    CU_ASSERT_EQUAL(t.o.vga, VGA_STD);
    CU_ASSERT_FALSE(t.o.icount);
    release(&t);
}

static void test_two_dashes(void)
{
    struct parsed t;
    accepted(&t, "--m 64 --no-reboot --nographic");
    CU_ASSERT_EQUAL(t.o.ram_bytes, UINT64_C(64) << 20);
    CU_ASSERT_TRUE(t.o.no_reboot);
    CU_ASSERT_EQUAL(t.o.display, DISPLAY_NONE);
    CU_ASSERT_STRING_EQUAL(t.o.serial[0], "mon:stdio");
    release(&t);
}

static void memory_is(const char *line, uint64_t bytes)
{
    struct parsed t;
    accepted(&t, line);
    CU_ASSERT_EQUAL(t.o.ram_bytes, bytes);
    release(&t);
}

static void test_memory(void)
{
    memory_is("-m 256", UINT64_C(256) << 20);
    memory_is("-m 256M", UINT64_C(256) << 20);
    memory_is("-m size=1G", UINT64_C(1) << 30);
    memory_is("-m 4g", UINT64_C(4) << 30);
    memory_is("-m 4096K", UINT64_C(4) << 20);
    memory_is("-m 0x10", UINT64_C(16) << 20);
    memory_is("-m 1048577B", (UINT64_C(1) << 20) + 8192);
    refused("-m 0", "-m: 0", "1 MiB", "-m 128", NULL);
    refused("-m 9999999G", "64 GiB", "-m 1G", NULL);
    refused("-m 99999999999999999999999", "64 GiB", NULL);
    refused("-m 999999999999T", "not a size", NULL);
    refused("-m lots", "lots is not a size", NULL);
    refused("-m -5", "not a size", NULL);
    refused("-m 12Q", "not a size", NULL);
    refused("-m 128,slots=2", "only a size", NULL);
    refused("-m 512K", "1 MiB", NULL);
}

static void test_unknown_names_the_nearest(void)
{
    refused("-seral stdio", "-seral", "nearest is -serial", NULL);
    refused("-nograpic", "nearest is -nographic", NULL);
    refused("--kernl x", "--kernl", "nearest is -kernel", NULL);
    refused("-cdrmo x", "nearest is -cdrom", NULL);
    refused("-no-rebot", "nearest is -no-reboot", NULL);
}

static void test_edit_distance(void)
{
    CU_ASSERT_EQUAL(option_distance("serial", "serial"), 0);
    CU_ASSERT_EQUAL(option_distance("serail", "serial"), 1);
    CU_ASSERT_EQUAL(option_distance("seral", "serial"), 1);
    CU_ASSERT_EQUAL(option_distance("", "abc"), 3);
    CU_ASSERT_EQUAL(option_distance("kitten", "sitting"), 3);
}

static void test_missing_values(void)
{
    refused("-m", "-m: needs a value", NULL);
    refused("-nographic -kernel", "-kernel: needs a value", NULL);
    refused("-drive", "needs a value", NULL);
}

static void test_given_twice(void)
{
    refused("-m 64 -m 128", "-m: given twice (64 and 128)", NULL);
    refused("-kernel a -kernel b", "given twice", NULL);
    ok("-m 64 -m 64 -nographic -nographic -no-reboot -no-reboot");
}

static void test_accel(void)
{
    refused("-accel kvm", "kvm is not built in", "-accel interp", NULL);
    refused("-accel tcg", "tcg is not built in", "-accel interp", NULL);
    refused("-accel jit", "jit is not built in", "-accel interp", NULL);
    refused("-machine pc,accel=kvm:tcg", "kvm is not built in", NULL);
    refused("-accel warp", "no engine \"warp\"", NULL);
    refused("-enable-kvm", "not in this version", "-accel interp", NULL);
    ok("-accel interp");
    ok("-accel kvm -accel interp");
    ok("-machine pc,accel=kvm:interp");
    ok("-accel tcg,thread=single -accel interp");
    refused("-accel interp,turbo=on", "turbo", NULL);
}

static void test_machine(void)
{
    struct parsed t;
    accepted(&t, "-M pc,acpi=off,usb=off");
    CU_ASSERT_TRUE(t.o.no_acpi);
    release(&t);
    refused("-machine q35", "no board \"q35\"", "-machine pc", NULL);
    refused("-machine pc,warp=9", "no property \"warp\"", NULL);
    accepted(&t, "-machine help");
    CU_ASSERT_EQUAL(t.o.action, OPTIONS_LIST);
    CU_ASSERT_STRING_EQUAL(t.o.list, "machine");
    release(&t);
}

static void test_smp(void)
{
    ok("-smp 1");
    ok("-smp cpus=1,maxcpus=4");
    refused("-smp 2", "one CPU so far", NULL);
    refused("-smp sockets=2,cores=2", "4 CPUs", "one CPU so far", NULL);
    refused("-smp 0", "at least one", NULL);
    refused("-smp many", "a number", NULL);
}

static void test_not_in_this_version(void)
{
    refused("-monitor vc", "stdio, script:FILE or none", NULL);
    refused("-monitor stdio -serial stdio", "only one", NULL);
    refused("-monitor stdio -nographic", "both take", NULL);
    refused("-x a -monitor script:b", "one script", NULL);
    refused("-symbols a", "-monitor", NULL);
    refused("-net nic", "no network", "-net none", NULL);
    refused("-nic user", "no network", "-nic none", NULL);
    refused("-parallel stdio", "-parallel none", NULL);
    refused("-vga qxl", "-vga std", NULL);
    refused("-display curses", "-display sdl", NULL);
    refused("-device virtio-blk-pci", "no device", "-device help", NULL);
    refused("-drive file=a.qcow2,format=qcow2", "qemu-img convert", NULL);
    refused("-drive file=a,if=virtio", "if=ide", NULL);
}

static void test_drives(void)
{
    struct parsed t;
    accepted(&t, "-hda a -hdb b -cdrom c -hdd d -fda e -fdb f");
    CU_ASSERT_EQUAL(t.o.drives, 6);
    CU_ASSERT_EQUAL(t.o.drive[2].index, 2);
    CU_ASSERT_TRUE(t.o.drive[2].cdrom);
    CU_ASSERT_TRUE(t.o.drive[2].read_only);
    CU_ASSERT_EQUAL(t.o.drive[4].interface, DRIVE_FLOPPY);
    CU_ASSERT_EQUAL(t.o.drive[5].index, 1);
    release(&t);

    accepted(&t, "disk.img");
    CU_ASSERT_EQUAL(t.o.drives, 1);
    CU_ASSERT_STRING_EQUAL(t.o.drive[0].file, "disk.img");
    CU_ASSERT_EQUAL(t.o.drive[0].interface, DRIVE_IDE);
    release(&t);

    refused("-hda a -hda b", "taken by -hda a", NULL);
    refused("-hda a b", "taken by -hda a", NULL);
    refused("-hda a -drive file=b,index=0", "taken by -hda a", NULL);
    refused("-cdrom a -hdc b", "taken by -cdrom a", NULL);
}

static void test_drive_properties(void)
{
    struct parsed t;
    accepted(&t, "-drive file=fs.img,index=1,media=disk,format=raw "
                 "-drive file=xv6.img,format=raw,if=ide,snapshot=on "
                 "-drive file=a,,b.iso,media=cdrom "
                 "-drive if=floppy,file=boot.img,readonly=on");
    CU_ASSERT_EQUAL(t.o.drives, 4);
    CU_ASSERT_EQUAL(t.o.drive[0].index, 1);
    CU_ASSERT_FALSE(t.o.drive[0].snapshot);
    CU_ASSERT_EQUAL(t.o.drive[1].index, 0); /* the first free place */
    CU_ASSERT_TRUE(t.o.drive[1].snapshot);
    CU_ASSERT_STRING_EQUAL(t.o.drive[2].file, "a,b.iso");
    CU_ASSERT_EQUAL(t.o.drive[2].index, 2);
    CU_ASSERT_TRUE(t.o.drive[3].read_only);
    release(&t);

    accepted(&t, "-drive file=a,bus=1,unit=1 -snapshot");
    CU_ASSERT_EQUAL(t.o.drive[0].index, 3);
    CU_ASSERT_TRUE(t.o.drive[0].snapshot);
    release(&t);

    accepted(&t, "-drive media=cdrom");
    CU_ASSERT_PTR_NULL(t.o.drive[0].file);
    release(&t);

    refused("-drive file=a,index=9", "0 to 3", NULL);
    refused("-drive index=1", "needs file=", NULL);
    refused("-drive file=a,media=tape", "disk or cdrom", NULL);
    refused("-drive file=a,readonly=maybe", "on or off", NULL);
    refused("-drive file=a,speed=9", "no property \"speed\"", NULL);
}

static void test_boot(void)
{
    struct parsed t;
    accepted(&t, "-boot dc");
    CU_ASSERT_STRING_EQUAL(t.o.boot_order, "dc");
    release(&t);
    accepted(&t, "-boot order=c,once=d,menu=on");
    CU_ASSERT_STRING_EQUAL(t.o.boot_order, "c");
    CU_ASSERT_STRING_EQUAL(t.o.boot_once, "d");
    CU_ASSERT_TRUE(t.o.boot_menu);
    release(&t);
    refused("-boot z", "letters of", NULL);
    refused("-boot cc", "twice", NULL);
    refused("-boot menu=perhaps", "on or off", NULL);
}

static void test_lines(void)
{
    struct parsed t;
    accepted(&t, "-serial stdio -serial file:out.txt");
    CU_ASSERT_EQUAL(t.o.serials, 2);
    CU_ASSERT_STRING_EQUAL(t.o.serial[1], "file:out.txt");
    release(&t);
    accepted(&t, "-nographic -serial null");
    CU_ASSERT_STRING_EQUAL(t.o.serial[0], "null");
    release(&t);
    accepted(&t, "-chardev stdio,id=a,mux=on -serial chardev:a");
    CU_ASSERT_STRING_EQUAL(options_chardev_spec(&t.o, t.o.serial[0]),
                           "mon:stdio");
    release(&t);
    accepted(&t, "-chardev file,id=log,path=x.log "
                 "-device isa-debugcon,iobase=0x402,chardev=log");
    CU_ASSERT_EQUAL(t.o.debugcons, 1);
    CU_ASSERT_EQUAL(t.o.debugcon[0].iobase, 0x402);
    CU_ASSERT_STRING_EQUAL(options_chardev_spec(&t.o, t.o.debugcon[0].chardev),
                           "file:x.log");
    release(&t);
    accepted(&t, "-debugcon file:d.log -global isa-debugcon.iobase=0x402");
    CU_ASSERT_EQUAL(t.o.debugcon[0].iobase, 0x402);
    release(&t);
    refused("-serial tcp::4444", "-serial", "file:PATH", NULL);
    refused("-serial chardev:nobody", "no -chardev has this id", NULL);
    refused("-serial null -serial null -serial null -serial null "
            "-serial null",
            "4 serial ports", NULL);
    ok("-parallel none -monitor none -net none -nic none");
}

static void test_debug_exit(void)
{
    struct parsed t;
    accepted(&t, "-device isa-debug-exit,iobase=0xf4,iosize=0x04");
    CU_ASSERT_TRUE(t.o.debug_exit);
    CU_ASSERT_EQUAL(t.o.debug_exit_iobase, 0xF4);
    CU_ASSERT_EQUAL(t.o.debug_exit_iosize, 4);
    release(&t);
    accepted(&t, "-device isa-debug-exit");
    CU_ASSERT_EQUAL(t.o.debug_exit_iobase, 0x501);
    CU_ASSERT_EQUAL(t.o.debug_exit_iosize, 2);
    release(&t);
    refused("-device isa-debug-exit,iobase=0x10000", "number up to", NULL);
    refused("-device isa-debug-exit,iobase=0xFFFF,iosize=4", "0xffff", NULL);
    refused("-device isa-debug-exit,iosize=3", "1, 2 or 4", NULL);
}

static void test_clocks(void)
{
    struct parsed t;
    accepted(&t, "-icount shift=3 -rtc base=2006-06-17T16:01:21,clock=vm");
    CU_ASSERT_TRUE(t.o.icount);
    CU_ASSERT_EQUAL(t.o.icount_shift, 3);
    CU_ASSERT_EQUAL(t.o.rtc, RTC_DATE);
    CU_ASSERT_EQUAL(t.o.rtc_date, 1150560081);
    CU_ASSERT_TRUE(t.o.rtc_vm);
    release(&t);
    accepted(&t, "-icount auto -rtc base=2006-06-17");
    CU_ASSERT_TRUE(t.o.icount);
    CU_ASSERT_EQUAL(t.o.rtc_date, 1150502400);
    release(&t);
    accepted(&t, "-icount 0");
    CU_ASSERT_EQUAL(t.o.icount_shift, 0);
    release(&t);
    refused("-icount 11", "0 to 10", NULL);
    refused("-icount shift=fast", "0 to 10", NULL);
    refused("-rtc base=yesterday", "utc, localtime", NULL);
    refused("-rtc clock=sun", "host or vm", NULL);
}

static void test_uuid(void)
{
    struct parsed t;
    accepted(&t, "-uuid 01234567-89ab-CDEF-0123-456789abcdef -name guest=x,y");
    CU_ASSERT_TRUE(t.o.has_uuid);
    CU_ASSERT_EQUAL(t.o.uuid[0], 0x01);
    CU_ASSERT_EQUAL(t.o.uuid[6], 0xCD);
    CU_ASSERT_EQUAL(t.o.uuid[15], 0xEF);
    CU_ASSERT_STRING_EQUAL(t.o.name, "x");
    release(&t);
    refused("-uuid 1234", "not a UUID", NULL);
    refused("-uuid 01234567-89ab-CDEF-0123-456789abcdefg", "not a UUID", NULL);
}

static void test_log_and_trace(void)
{
    struct parsed t;
    accepted(&t, "-d int,cpu_reset,guest_errors,in_asm,exits -D log "
                 "-trace file=x.jsonl");
    CU_ASSERT_STRING_EQUAL(t.o.trace[0], "x.jsonl");
    CU_ASSERT_STRING_EQUAL(t.o.log_file, "log");
    release(&t);
    refused("-d int,everything", "\"everything\"", "-d help", NULL);
    refused("-trace events=x", "file=", NULL);
    accepted(&t, "-d help");
    CU_ASSERT_STRING_EQUAL(t.o.list, "d");
    release(&t);
}

static void test_kernel_options_go_together(void)
{
    ok("-kernel k -initrd i -append console=ttyS0");
    refused("-append x", "-append needs a -kernel", NULL);
    refused("-initrd x", "-initrd needs a -kernel", NULL);
}

static void test_nodefaults(void)
{
    struct parsed t;
    accepted(&t, "-nodefaults");
    CU_ASSERT_EQUAL(t.o.vga, VGA_NONE);
    CU_ASSERT_STRING_EQUAL(t.o.serial[0], "none");
    release(&t);
    accepted(&t, "-vga std -nodefaults -serial stdio");
    CU_ASSERT_EQUAL(t.o.vga, VGA_STD);
    CU_ASSERT_STRING_EQUAL(t.o.serial[0], "stdio");
    release(&t);
}

static void test_help_names_every_option(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_print_help(out);
    fclose(out);
    for (const struct option_entry *e = option_table; e->name; e++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "\n-%s", e->name);
        bool listed = e->help && e->handle != option_later;
        if (listed)
            CU_ASSERT_PTR_NOT_NULL(strstr(text, wanted));
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (line[0] == ' ')
            CU_ASSERT(strlen(line) < 80);
    free(text);
}

static void test_table_is_sound(void)
{
    for (const struct option_entry *e = option_table; e->name; e++) {
        CU_ASSERT_PTR_NOT_NULL(e->handle);
        for (const struct option_entry *f = e + 1; f->name; f++)
            CU_ASSERT_STRING_NOT_EQUAL(e->name, f->name);
    }
}

static void test_first_action_wins(void)
{
    struct parsed t;
    accepted(&t, "-m 64 -help -nonsense");
    CU_ASSERT_EQUAL(t.o.action, OPTIONS_HELP);
    release(&t);
    accepted(&t, "--version");
    CU_ASSERT_EQUAL(t.o.action, OPTIONS_PRINT_VERSION);
    release(&t);
}

static void test_error_is_one_line_whatever_was_typed(void)
{
    struct options o;
    char bad[] = "-a\nb\033[2J";
    char name[] = "vitrine";
    char *argv[] = {name, bad, NULL};
    CU_ASSERT_EQUAL(options_parse(&o, 2, argv), -1);
    CU_ASSERT_PTR_NULL(strchr(o.error, '\n'));
    CU_ASSERT_PTR_NULL(strchr(o.error, '\033'));
    options_free(&o);
}

/* Options with values of random letters: no crash, and an error has words. */
static void test_random_values_are_survived(void)
{
    static const char letters[] = "abcdn=,:0123456789xGMK-+. fileidonf";
    uint32_t seed = 1;
    char name[] = "vitrine";

    for (unsigned round = 0; round < 50000; round++) {
        char option[40], value[24];
        unsigned count = 0;
        while (option_table[count].name)
            count++;
        seed = seed * 1664525 + 1013904223;
        const struct option_entry *e = &option_table[(seed >> 8) % count];
        snprintf(option, sizeof(option), "-%s", e->name);
        seed = seed * 1664525 + 1013904223;
        size_t length = (seed >> 8) % sizeof(value);
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525 + 1013904223;
            value[i] = letters[(seed >> 8) % (sizeof(letters) - 1)];
        }
        value[length < sizeof(value) ? length : sizeof(value) - 1] = '\0';
        char *argv[] = {name, option, value, NULL};
        struct options o;
        if (options_parse(&o, e->arg ? 3 : 2, argv) < 0)
            CU_ASSERT(o.error[0] != '\0');
        options_free(&o);
    }
}

static const struct test tests[] = {
    {"defaults_are_qemus", test_defaults},
    {"two_dashes_are_one", test_two_dashes},
    {"memory_sizes_and_their_limits", test_memory},
    {"unknown_option_names_the_nearest", test_unknown_names_the_nearest},
    {"edit_distance_counts_typing_errors", test_edit_distance},
    {"missing_value_is_said", test_missing_values},
    {"given_twice_is_an_error_unless_equal", test_given_twice},
    {"accel_takes_the_first_usable", test_accel},
    {"machine_is_pc", test_machine},
    {"smp_is_one", test_smp},
    {"what_is_missing_is_said", test_not_in_this_version},
    {"drives_have_their_places", test_drives},
    {"drive_properties", test_drive_properties},
    {"boot_order", test_boot},
    {"lines", test_lines},
    {"isa_debug_exit", test_debug_exit},
    {"icount_and_rtc", test_clocks},
    {"uuid_and_name", test_uuid},
    {"log_and_trace", test_log_and_trace},
    {"kernel_options_go_together", test_kernel_options_go_together},
    {"nodefaults", test_nodefaults},
    {"help_names_every_option", test_help_names_every_option},
    {"option_table_has_no_doubles", test_table_is_sound},
    {"first_action_wins", test_first_action_wins},
    {"error_is_one_line_whatever_was_typed",
     test_error_is_one_line_whatever_was_typed},
    {"random_values_are_survived", test_random_values_are_survived},
    {NULL, NULL},
};
TEST_MAIN("options", tests)
