/*
 * What the board tells its firmware: CMOS bytes, and fw_cfg items.
 */
#ifndef EMU_PC_FIRMWARE_H
#define EMU_PC_FIRMWARE_H

struct machine;
struct pc_options;

/* Into the device "rtc", which must be initialised (as must "ide"). */
void pc_fill_cmos(struct machine *machine, const struct pc_options *options);
/* Into the device "fw_cfg". 0 or -errno. */
int pc_fill_fw_cfg(struct machine *machine, const struct pc_options *options);

#endif
