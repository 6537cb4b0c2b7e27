/*
 * Decimal arithmetic: DAA DAS AAA AAS AAM AAD (SDM 2A). Where a flag is
 * undefined the value is what Intel processors leave.
 */
#include "emu/x86/quick.h"

static void set_flags(struct cpu *c, uint8_t result, bool cf, bool af)
{
    c->fa = sign_extend(result, 1);
    c->fb = flags_co(cf, false) | (af ? FB_AF : 0);
}

static const struct uop *decimal_adjust(UOP_ARGS, bool add)
{
    uop_sync(c, u, fa, fb, budget);
    uint8_t old = (uint8_t)c->r[R_AX], al = old;
    bool old_cf = flags_cf(fb), cf = false, af = false;
    if ((old & 0xF) > 9 || flags_af(fb)) {
        cf = old_cf || (add ? old > 0xF9 : old < 6);
        al = (uint8_t)(add ? al + 6 : al - 6);
        af = true;
    }
    if (old > 0x99 || old_cf) {
        al = (uint8_t)(add ? al + 0x60 : al - 0x60);
        cf = true;
    }
    reg_set(c, R_AX, al, 1);
    set_flags(c, al, cf, af);
    return uop_resume(c, u);
}
const struct uop *op_daa(UOP_ARGS)
{
    return decimal_adjust(c, u, fa, fb, budget, true);
}
const struct uop *op_das(UOP_ARGS)
{
    return decimal_adjust(c, u, fa, fb, budget, false);
}

static const struct uop *ascii_adjust(UOP_ARGS, bool add)
{
    uop_sync(c, u, fa, fb, budget);
    uint16_t ax = (uint16_t)c->r[R_AX];
    bool adjust = (ax & 0xF) > 9 || flags_af(fb);
    if (adjust)
        ax = (uint16_t)(add ? ax + 0x106 : ax - 0x106);
    ax &= 0xFF0F;
    reg_set(c, R_AX, ax, 2);
    set_flags(c, (uint8_t)ax, adjust, adjust);
    return uop_resume(c, u);
}
const struct uop *op_aaa(UOP_ARGS)
{
    return ascii_adjust(c, u, fa, fb, budget, true);
}
const struct uop *op_aas(UOP_ARGS)
{
    return ascii_adjust(c, u, fa, fb, budget, false);
}

const struct uop *op_aam(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned base = (uint8_t)u->imm, al = (uint8_t)c->r[R_AX];
    if (!base)
        cpu_fault(c, VEC_DE);
    reg_set(c, R_AX, (al / base) << 8 | al % base, 2);
    set_flags(c, (uint8_t)(al % base), false, false);
    return uop_resume(c, u);
}
const struct uop *op_aad(UOP_ARGS)
{
    uop_sync(c, u, fa, fb, budget);
    unsigned ax = (uint16_t)c->r[R_AX];
    uint8_t al = (uint8_t)((ax >> 8) * u->imm + ax);
    reg_set(c, R_AX, al, 2);
    set_flags(c, al, false, false);
    return uop_resume(c, u);
}
