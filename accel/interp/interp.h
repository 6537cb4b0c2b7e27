/*
 * The interpreter: runs decoded blocks of uops (emu/x86/uop.h). Its parts are
 * the block cache (block.c) and the run loop (interp.c); what instructions
 * mean is in emu/x86.
 */
#ifndef ACCEL_INTERP_INTERP_H
#define ACCEL_INTERP_INTERP_H

#include "emu/accel.h"

extern const struct accel interp_accel;

#endif
