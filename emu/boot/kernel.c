/*
 * -kernel, -initrd and -append: reads the files, finds out what they are, and
 * makes the plan. See kernel.h.
 */
#include "emu/boot/kernel.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_MAX_BYTES ((size_t)1 << 30)
#define INITRD_MAX_BYTES ((size_t)3 << 30)

int boot_plan_step(struct boot_plan *plan, uint32_t control, uint32_t length,
                   uint32_t gpa)
{
    if (plan->steps == BOOT_MAX_STEPS)
        return -1;
    plan->step[plan->steps++] = (struct boot_step){control, length, gpa};
    return 0;
}

int boot_plan_number(struct boot_plan *plan, unsigned key, uint32_t value)
{
    if (plan->numbers == BOOT_MAX_NUMBERS)
        return -1;
    plan->number[plan->numbers++] = (struct boot_number){key, value};
    return 0;
}

int boot_plan_blob(struct boot_plan *plan, unsigned key, struct image *image)
{
    if (plan->blobs == BOOT_MAX_BLOBS)
        return -1;
    plan->blob[plan->blobs++] = (struct boot_blob){key, *image};
    *image = (struct image){0};
    return 0;
}

void boot_plan_free(struct boot_plan *plan)
{
    for (unsigned i = 0; i < plan->blobs; i++)
        image_free(&plan->blob[i].image);
    plan->blobs = 0;
    image_free(&plan->rom);
}

/* Modules: "file arguments,file arguments", a comma in them written twice. --
 */

struct module_list {
    struct multiboot_module module[MULTIBOOT_MAX_MODULES];
    unsigned count;
    char *text; /* what module[].text points into */
};

static void free_modules(struct module_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        image_free(&list->module[i].image);
    free(list->text);
}

static int read_module(struct module_list *list, const char *text,
                       struct boot_error *error)
{
    struct multiboot_module *module = &list->module[list->count];
    size_t name_length = strcspn(text, " ");

    if (list->count == MULTIBOOT_MAX_MODULES)
        return boot_fail(error, "-initrd has more than %d modules",
                         MULTIBOOT_MAX_MODULES);
    if (name_length == 0)
        return boot_fail(error, "-initrd has a module without a name; "
                                "\"a arguments,b\" has two");
    char *name = strndup(text, name_length);
    if (!name)
        return boot_fail(error, "out of memory");
    struct boot_error inner;
    int result = image_read(&module->image, name, INITRD_MAX_BYTES, &inner);
    if (result < 0)
        boot_fail(error, "-initrd %.230s", inner.text);
    free(name);
    if (result < 0)
        return -1;
    module->text = text;
    list->count++;
    return 0;
}

static int read_modules(struct module_list *list, const char *initrd,
                        struct boot_error *error)
{
    if (!initrd)
        return 0;
    list->text = strdup(initrd);
    if (!list->text)
        return boot_fail(error, "out of memory");
    const char *in = initrd;
    char *out = list->text;
    bool more = true;
    while (more) {
        char *start = out;
        while (*in == ' ')
            in++;
        while (*in && !(in[0] == ',' && in[1] != ',')) {
            if (in[0] == ',')
                in++;
            *out++ = *in++;
        }
        more = *in == ',';
        in++;
        *out++ = '\0';
        if (read_module(list, start, error) < 0)
            return -1;
    }
    return 0;
}

/* Kernels. -------------------------------------------------------------- */

static int make_multiboot(struct boot_plan *plan,
                          const struct multiboot_image *image,
                          struct image *kernel,
                          const struct boot_request *request,
                          struct boot_error *error)
{
    struct module_list *list = calloc(1, sizeof(*list));
    const char *append = request->append ? request->append : "";
    size_t size = strlen(request->kernel) + 1 + strlen(append) + 1;
    char *cmdline = malloc(size);
    int result = -1;

    if (!list || !cmdline) {
        boot_fail(error, "out of memory");
        goto out;
    }
    /* As GRUB and QEMU have it: the kernel's name comes first. */
    strcpy(cmdline, request->kernel);
    if (*append) {
        strcat(cmdline, " ");
        strcat(cmdline, append);
    }
    if (read_modules(list, request->initrd, error) == 0)
        result = multiboot_plan(plan, image, kernel, cmdline, list->module,
                                list->count, request->low_ram_bytes, error);
out:
    if (list)
        free_modules(list);
    free(list);
    free(cmdline);
    return result;
}

static int make_linux(struct boot_plan *plan, const struct linux_image *image,
                      struct image *kernel, const struct boot_request *request,
                      struct boot_error *error)
{
    struct image initrd = {0};
    struct boot_error inner;

    if (request->initrd &&
        image_read(&initrd, request->initrd, INITRD_MAX_BYTES, &inner) < 0)
        return boot_fail(error, "-initrd %.240s", inner.text);
    return linux_plan(plan, image, kernel, &initrd,
                      request->append ? request->append : "",
                      request->low_ram_bytes, error);
}

static int make(struct boot_plan *plan, struct image *kernel,
                const struct boot_request *request, struct boot_error *error)
{
    struct multiboot_image *multiboot = malloc(sizeof(*multiboot));
    struct linux_image image;
    int is;

    if (!multiboot)
        return boot_fail(error, "out of memory");
    is = multiboot_parse(kernel->data, kernel->size, multiboot, error);
    if (is > 0)
        is = make_multiboot(plan, multiboot, kernel, request, error) < 0 ? -1
                                                                         : 1;
    else if (is == 0) {
        is = linux_parse(kernel->data, kernel->size, &image, error);
        if (is > 0)
            is = make_linux(plan, &image, kernel, request, error) < 0 ? -1 : 1;
    }
    free(multiboot);
    if (is == 0)
        return boot_fail(error, "is neither a Linux bzImage nor a multiboot 1 "
                                "kernel (no \"HdrS\", no 1BADB002 in the first "
                                "8 KiB); a disk image goes to -hda");
    return is < 0 ? -1 : boot_rom_make(plan);
}

int boot_plan_make(struct boot_plan *plan, const struct boot_request *request,
                   struct boot_error *error)
{
    struct image kernel;
    struct boot_error inner = {""};

    memset(plan, 0, sizeof(*plan));
    if (image_read(&kernel, request->kernel, KERNEL_MAX_BYTES, &inner) < 0)
        return boot_fail(error, "-kernel %.240s", inner.text);
    int result = make(plan, &kernel, request, &inner);
    image_free(&kernel);
    if (result == 0)
        return 0;
    boot_plan_free(plan);
    if (strncmp(inner.text, "-initrd ", 8) == 0)
        *error = inner;
    else
        boot_fail(error, "-kernel %.60s: %.180s", request->kernel, inner.text);
    return -1;
}
