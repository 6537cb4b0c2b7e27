/*
 * The decoder: bytes to one struct insn (SDM 2 chapter 2), and from there to
 * a struct uop with the handler that fits form, size and mode. Everything
 * comes from opcodes.def.
 */
#ifndef EMU_X86_DECODE_H
#define EMU_X86_DECODE_H

#include "emu/x86/sse_list.h"
#include "emu/x86/uop.h"

#include <stddef.h>

enum opcode_map { M1, M0F, M38, M3A, OPCODE_MAPS };
enum mandatory_prefix { P_ANY, P_NP, P_66, P_F3, P_F2 };

#define X_NONE 0x000
#define X_MEM 0x100 /* memory, any reg */
#define X_REG 0x200 /* register, any reg */
#define X_R(n) (0x300 + (n))
#define X_MR(n) (0x400 + (n))
#define X_RR(n) (0x500 + (n))
#define X_B(b) (0x600 + (b))

enum operand {
    __, /* none */
    Eb, Ew, Ed, Eq, Ev, Ey,             /* ModRM.rm: register or memory */
    Gb, Gw, Gd, Gv, Gy, Gz,             /* ModRM.reg */
    Zb, Zv,                             /* register in the opcode */
    M, Ma, Mb, Mw, Md, Mq, Mt, Mdq, Ms, Mp, Mpv, Mv, My, /* memory only */
    Ib, Ibs, Iw, Iz, Iv, Jb, Jz, Ap, Ob, Ov,
    Sw, Cy, Dy, Ry,                     /* segment, control, debug; rm as GPR */
    Xb, Xv, Xz, Yb, Yv, Yz,             /* string operands */
    AL, CL, DX, eAX, rAX, one, ES, CS, SS, DS, FS, GS,
    ST0, STi,                           /* x87 */
    Pq, Qq, Qd, Nq,                     /* MMX: reg; rm or mem; rm only */
    Vx, Wx, Wd, Wq, Ww, Ux, XMM0,       /* SSE: reg; rm or mem of 16, 4, 8, 2
                                           bytes; rm only; implicit */
    OPERANDS
};

enum {
    F_C = 1u << 0, F_P = 1u << 2, F_A = 1u << 4, F_Z = 1u << 6,
    F_S = 1u << 7, F_O = 1u << 11,
    F_ALL = F_C | F_P | F_A | F_Z | F_S | F_O,
};
enum {
    A_LOCK = 1u << 0, A_NO64 = 1u << 1, A_ONLY64 = 1u << 2, A_D64 = 1u << 3,
    A_F64 = 1u << 4, A_END = 1u << 5,
    A_OPSIZE = 1u << 6,   /* size comes from prefixes, not from an operand */
    A_REP = 1u << 7, A_REPZ = 1u << 8, /* F3 (and F2 for REPZ) repeat it */
    A_MAYWRITE = 1u << 9, /* may leave the flags as they were */
    A_MODREG = 1u << 10,  /* ModRM.mod is ignored: always a register */
    A_XLAT = 1u << 11,    /* memory at DS:rBX + AL */
};

enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR,
           ALU_CMP, ALU_TEST, ALU_OPS };
enum unary { UNARY_INC, UNARY_DEC, UNARY_NOT, UNARY_NEG };
enum shift { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR,
             SHIFT_SAR };
enum movx { MOVX_ZX8, MOVX_ZX16, MOVX_SX8, MOVX_SX16, MOVX_SXD };
enum bt { BT_BT, BT_BTS, BT_BTR, BT_BTC };

struct insn;
typedef uop_fn *select_fn(const struct insn *insn, uint32_t mode);

/* One row of opcodes.def. */
struct opcode {
    uint8_t map, byte, prefix;
    uint16_t ext;
    const char *mnemonic;
    uint8_t operand[3];
    uint8_t parameter;
    uop_fn *handler;
    select_fn *select;
    uint16_t read, write, undefined;
    uint16_t attributes;
    const char *handler_name;
};
extern const struct opcode opcodes[];
extern const size_t opcode_count;

/* A decoded instruction, as data. */
struct insn {
    const struct opcode *opcode; /* NULL: #UD */
    uint8_t length;
    uint8_t operand_size; /* bytes: 1, 2, 4, 8 */
    uint8_t address_size; /* bytes: 2, 4, 8 */
    uint8_t rex;          /* 0 or 0x40..0x4F */
    bool lock, rep, repne, opsize_prefix;
    bool has_modrm, memory;
    uint8_t modrm;
    uint8_t reg, rm;     /* extended by REX; rm: register form only */
    uint8_t base, index; /* R_ZERO when absent; R_IPPAGE: rip */
    uint8_t scale;       /* 1, 2, 4, 8 */
    uint8_t seg;         /* the memory operand's, override applied */
    bool rip_relative;
    bool flags_dead; /* nobody will see the flags it sets: choose a handler
                        that leaves them out */
    int32_t disp;
    uint64_t imm; /* sign-extended as the instruction uses it */
};

enum decode_result {
    DECODE_OK,
    DECODE_UD,    /* length is what the CPU looked at */
    DECODE_MORE,  /* ran out of bytes before the end */
    DECODE_LONG,  /* over 15 bytes: #GP */
};

/* Decodes at most `size` bytes (15 are always enough) in the given mode (only
 * MODE_CODE matters). Pure. */
enum decode_result decode(const uint8_t *bytes, size_t size, uint32_t mode,
                          struct insn *insn);
/* Makes the uop (fn, operands, flags; not off and n). */
void decode_bind(const struct insn *insn, uint32_t mode, struct uop *uop);

#define OP(MAP, BYTE, PREFIX, EXT, MNEMONIC, O1, O2, O3, HANDLER, READ, WRITE, \
           UNDEFINED, ATTRIBUTES)                                              \
    uop_fn HANDLER;
#define OPS(MAP, BYTE, PREFIX, EXT, MNEMONIC, O1, O2, O3, SELECT, PARAMETER,   \
            READ, WRITE, UNDEFINED, ATTRIBUTES)                                \
    select_fn SELECT;
#include "emu/x86/opcodes.def"
#undef OP
#undef OPS

#endif
