/*
 * The firmware configuration device: named blobs that the board hands to
 * SeaBIOS, OVMF and Linux (QEMU's docs/specs/fw_cfg).
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "emu/device.h"

#include <stddef.h>
#include <stdint.h>

extern const struct device_class fw_cfg_class;

/* Banks. IO: 2 ports at 0x510 (selector, data); DMA: 8 ports at 0x514. */
enum { FW_CFG_IO, FW_CFG_DMA };

/* Keys that have a fixed meaning. Integers are little-endian. */
enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_MACHINE_ID = 0x06,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0A,
    FW_CFG_INITRD_SIZE = 0x0B,
    FW_CFG_BOOT_DEVICE = 0x0C,
    FW_CFG_NUMA = 0x0D,
    FW_CFG_BOOT_MENU = 0x0E,
    FW_CFG_MAX_CPUS = 0x0F,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_FILES = 64, /* files there is room for */
    FW_CFG_ARCH_LOCAL = 0x8000,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

/* Called when the guest selects the item, before it reads the first byte: the
 * item may bring itself up to date within its size. */
typedef void fw_cfg_refresh(void *ctx, uint8_t *data, size_t size);

/*
 * All of these copy what they are given. They may be called at any time after
 * device_init() or before it. 0, -ENOMEM, -EEXIST when the key or the name is
 * taken, -EINVAL for a key out of range or a name over 55 characters, -ENOSPC
 * when there are too many files. Data of 4 GiB or more is -EINVAL.
 */
int fw_cfg_add_bytes(struct device *dev, unsigned key, const void *data,
                     size_t size);
int fw_cfg_add_i16(struct device *dev, unsigned key, uint16_t value);
int fw_cfg_add_i32(struct device *dev, unsigned key, uint32_t value);
int fw_cfg_add_i64(struct device *dev, unsigned key, uint64_t value);
/* With its terminating 0. */
int fw_cfg_add_string(struct device *dev, unsigned key, const char *text);
/* A file: a name in the directory, such as "etc/e820". */
int fw_cfg_add_file(struct device *dev, const char *name, const void *data,
                    size_t size);
/* Gives the file called `name` a refresh function. -ENOENT. */
int fw_cfg_set_refresh(struct device *dev, const char *name,
                       fw_cfg_refresh *refresh, void *ctx);
/* The bytes behind a key, or NULL; for tests and the monitor. */
const uint8_t *fw_cfg_item(struct device *dev, unsigned key, size_t *size);
/* The key of a file, or -ENOENT. */
int fw_cfg_find(struct device *dev, const char *name);

#endif
