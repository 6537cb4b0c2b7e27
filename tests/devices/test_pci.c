/* PCI configuration space: masks, sizing, and where BARs put regions. */
#include "devices/pci.h"
#include "tests/devices/storage.h"

struct card {
    struct pci_function function;
};

static uint64_t card_read(struct device *dev, unsigned bank, uint64_t off,
                          unsigned size)
{
    (void)dev;
    (void)size;
    return bank * 0x10 + off;
}

static const struct device_class card_class = {
    .name = "card", .state_size = sizeof(struct card), .max_access = 1,
    .read = card_read};

static struct pci_function *plug(struct rig *rig)
{
    rig_init(rig, &card_class);
    struct pci_function *f = &((struct card *)rig->dev->state)->function;
    pci_init(f, rig->dev, 0x1234, 0x5678, 0x0101, 0x80, 3, 1);
    pci_add_bar(
        f, 0,
        (struct region){
            .name = "mem", .size = 0x1000, .kind = REGION_DEVICE, .bank = 1},
        false, true);
    pci_add_bar(f, 4,
                (struct region){
                    .name = "io", .size = 16, .kind = REGION_DEVICE, .bank = 2},
                true, false);
    pci_reset(f);
    return f;
}

static void header_shows_identity(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x56781234);
    CU_ASSERT_EQUAL(pci_config_read(f, 8, 4), 0x01018003);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_INTERRUPT_PIN, 1), 1);
    pci_config_write(f, 0, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x56781234);
    rig_fini(&rig);
}

static void all_ones_in_a_bar_tell_its_size(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    pci_config_write(f, PCI_BAR0, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0, 4), 0xFFFFF008);
    pci_config_write(f, PCI_BAR0 + 16, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0 + 16, 4), 0xFFFFFFF1);
    pci_config_write(f, PCI_BAR0 + 4, 0xFFFFFFFF, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0 + 4, 4), 0);
    rig_fini(&rig);
}

static void decode_follows_the_command_register(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    pci_config_write(f, PCI_BAR0 + 16, 0xC001, 4);
    CU_ASSERT_PTR_NULL(bus_find(&rig.io, 0xC000));
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_IO, 2);
    CU_ASSERT_EQUAL(bus_read(&rig.io, 0xC003, 1), 0x23);
    pci_config_write(f, PCI_BAR0 + 16, 0xD000, 4); /* moves while mapped */
    CU_ASSERT_PTR_NULL(bus_find(&rig.io, 0xC000));
    CU_ASSERT_EQUAL(bus_read(&rig.io, 0xD003, 1), 0x23);
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_MEMORY, 1);
    CU_ASSERT_PTR_NULL(bus_find(&rig.io, 0xD000));
    pci_config_write(f, PCI_BAR0, 0xE0000000, 4);
    CU_ASSERT_EQUAL(bus_read(&rig.memory, 0xE0000005, 1), 0x15);
    pci_reset(f);
    CU_ASSERT_PTR_NULL(bus_find(&rig.memory, 0xE0000000));
    rig_fini(&rig);
}

static void bar_written_byte_by_byte_arrives(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_IO, 2);
    pci_config_write(f, PCI_BAR0 + 16, 0x40, 1);
    pci_config_write(f, PCI_BAR0 + 17, 0xC1, 1);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0 + 16, 4), 0xC141);
    CU_ASSERT_EQUAL(bus_read(&rig.io, 0xC14F, 1), 0x2F);
    rig_fini(&rig);
}

static void taken_place_stays_unmapped_until_it_is_free(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);
    struct region other = {.name = "other", .base = 0xC008, .size = 4,
                           .kind = REGION_DEVICE, .dev = rig.sink};

    CU_ASSERT_EQUAL(bus_map(&rig.io, &other), 0);
    pci_config_write(f, PCI_BAR0 + 16, 0xC000, 4);
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_IO, 2);
    CU_ASSERT_PTR_EQUAL(bus_find(&rig.io, 0xC008), &other);
    CU_ASSERT_PTR_NULL(bus_find(&rig.io, 0xC000));
    bus_unmap(&rig.io, &other);
    pci_config_write(f, PCI_INTERRUPT_LINE, 5, 1); /* any header write */
    CU_ASSERT_PTR_EQUAL(bus_find(&rig.io, 0xC008), &f->bar[4].region);
    rig_fini(&rig);
}

static void place_beyond_the_bus_maps_nothing(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    pci_config_write(f, PCI_COMMAND, 3, 2);
    pci_config_write(f, PCI_BAR0 + 16, 0xFFFFFFFF, 4);
    pci_config_write(f, PCI_BAR0, 0xFFFFFFFF, 4);
    CU_ASSERT_FALSE(f->bar[0].region.mapped);
    CU_ASSERT_FALSE(f->bar[4].region.mapped);
    pci_config_write(f, PCI_BAR0 + 16, 0x12345670, 4);
    CU_ASSERT_FALSE(f->bar[4].region.mapped);
    pci_config_write(f, PCI_BAR0 + 16, 0xFFF0, 4);
    CU_ASSERT_TRUE(f->bar[4].region.mapped);
    rig_fini(&rig);
}

static void rom_needs_its_own_enable_bit(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);
    uint8_t *image = aligned_alloc(4096, 0x10000);

    memset(image, 0x5A, 0x10000);
    pci_add_rom(f, (struct region){.name = "rom", .size = 0x10000,
                                   .kind = REGION_ROM, .host = image});
    pci_config_write(f, PCI_ROM, 0xFFFFFFFE, 4);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_ROM, 4), 0xFFFF0000);
    pci_config_write(f, PCI_ROM, 0xF0000000, 4);
    pci_config_write(f, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    CU_ASSERT_PTR_NULL(bus_find(&rig.memory, 0xF0000000));
    pci_config_write(f, PCI_ROM, 0xF0000001, 4);
    CU_ASSERT_EQUAL(bus_read(&rig.memory, 0xF0000010, 1), 0x5A);
    rig_fini(&rig);
    free(image);
}

static void remap_restores_a_loaded_configuration(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);

    f->config[PCI_COMMAND] = PCI_COMMAND_IO;
    pci_set32(f, PCI_BAR0 + 16, 0xC101);
    pci_remap(f);
    CU_ASSERT_EQUAL(bus_read(&rig.io, 0xC101, 1), 0x21);
    rig_fini(&rig);
}

static void storm_of_configuration_writes(void)
{
    struct rig rig;
    struct pci_function *f = plug(&rig);
    uint32_t seed = 1;

    for (unsigned i = 0; i < 200000; i++) {
        unsigned off = rig_random(&seed) % 260, size = 1u << (seed >> 9) % 3;
        if (seed & 0x10000)
            pci_config_write(f, off, rig_random(&seed), size);
        else
            pci_config_read(f, off, size);
        for (unsigned n = 0; n < PCI_BARS; n++)
            if (f->bar[n].region.mapped)
                bus_read(f->bar[n].io ? &rig.io : &rig.memory,
                         f->bar[n].region.base, 1);
    }
    CU_ASSERT_EQUAL(pci_config_read(f, 0, 4), 0x56781234);
    CU_ASSERT_EQUAL(pci_config_read(f, PCI_BAR0, 4) & 0xFFF, 8);
    rig_fini(&rig);
}

static const struct test tests[] = {
    {"header_shows_identity", header_shows_identity},
    {"all_ones_in_a_bar_tell_its_size", all_ones_in_a_bar_tell_its_size},
    {"decode_follows_the_command_register",
     decode_follows_the_command_register},
    {"bar_written_byte_by_byte_arrives", bar_written_byte_by_byte_arrives},
    {"taken_place_stays_unmapped_until_it_is_free",
     taken_place_stays_unmapped_until_it_is_free},
    {"place_beyond_the_bus_maps_nothing", place_beyond_the_bus_maps_nothing},
    {"rom_needs_its_own_enable_bit", rom_needs_its_own_enable_bit},
    {"remap_restores_a_loaded_configuration",
     remap_restores_a_loaded_configuration},
    {"storm_of_configuration_writes", storm_of_configuration_writes},
    {NULL, NULL},
};

TEST_MAIN("pci", tests)
