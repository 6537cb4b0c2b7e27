/*
 * Commands that do what a hand at the machine, or a device driver, would.
 *
 * in and out go to the devices directly: the guest's ledger does not count
 * them.
 * Not modelled: screendump as PNG; how long sendkey holds the keys.
 */
#include "monitor/commands.h"

#include "devices/host/keynames.h"
#include "emu/pc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int run_sendkey(struct monitor *mon, const struct arg *args)
{
    const struct input *input = &mon->machine->input;
    unsigned keys[KEYNAME_COMBO];
    const char *bad = NULL;
    int count = keyname_combo(args[0].text, keys, &bad);

    if (count < 0)
        return shell_error(mon, "sendkey: \"%.40s\" is no key's name",
                           bad ? bad : args[0].text);
    if (!input->key)
        return shell_error(mon, "sendkey: the machine has no keyboard");
    for (int i = 0; i < count; i++)
        input->key(input->ctx, keys[i], true);
    for (int i = count; i-- > 0;)
        input->key(input->ctx, keys[i], false);
    return 0;
}

int run_screendump(struct monitor *mon, const struct arg *args)
{
    const struct display *display = &mon->machine->display;
    struct surface surface = {0};

    if (!display->render)
        return shell_error(mon, "screendump: the machine has no screen");
    display->render(display->ctx, &surface);
    int error =
        surface.pixels ? surface_write_ppm(&surface, args[0].text) : -ENODATA;
    if (error)
        shell_error(mon, "screendump %s: %s", args[0].text, strerror(-error));
    else
        fprintf(mon->out, "%s: %u x %u\n", args[0].text, surface.width,
                surface.height);
    surface_free(&surface);
    return error ? -1 : 0;
}

int run_powerdown(struct monitor *mon, const struct arg *args)
{
    (void)args;
    pc_power_button(mon->machine);
    return 0;
}

/* The checked size of an access; 0 with a message printed. */
static unsigned access_size(struct monitor *mon, const struct arg *size,
                            uint64_t port)
{
    uint64_t bytes = size->given ? size->value : 1;

    if (port > 0xFFFF || (bytes != 1 && bytes != 2 && bytes != 4)) {
        shell_error(mon, "ports are 0 to 0xffff, sizes 1, 2 or 4");
        return 0;
    }
    return (unsigned)bytes;
}

int run_in(struct monitor *mon, const struct arg *args)
{
    unsigned size = access_size(mon, &args[1], args[0].value);

    if (!size)
        return -1;
    uint64_t value = bus_read(&mon->machine->io, args[0].value, size);
    fprintf(mon->out, "port 0x%04" PRIx64 ": 0x%0*" PRIx64 "\n", args[0].value,
            (int)size * 2, value);
    return 0;
}

int run_out(struct monitor *mon, const struct arg *args)
{
    unsigned size = access_size(mon, &args[2], args[0].value);

    if (!size)
        return -1;
    bus_write(&mon->machine->io, args[0].value, args[1].value, size);
    return 0;
}
