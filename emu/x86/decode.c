/*
 * Instruction decoding (SDM 2A chapter 2), driven by opcodes.def.
 *
 * Not modelled: VEX, EVEX and XOP encodings (CPUID announces none; their
 * first bytes are LDS, LES and BOUND or #UD).
 */
#include "emu/x86/decode.h"

#define OP(MAP, BYTE, PREFIX, EXT, MNEMONIC, O1, O2, O3, HANDLER, READ, WRITE, \
           UNDEFINED, ATTRIBUTES)                                              \
    {MAP,  BYTE,  PREFIX,    EXT,        MNEMONIC, {O1, O2, O3},               \
     0,    HANDLER, NULL,    READ,       WRITE,    UNDEFINED,                  \
     ATTRIBUTES, #HANDLER},
#define OPS(MAP, BYTE, PREFIX, EXT, MNEMONIC, O1, O2, O3, SELECT, PARAMETER,   \
            READ, WRITE, UNDEFINED, ATTRIBUTES)                                \
    {MAP,       BYTE, PREFIX, EXT,  MNEMONIC, {O1, O2, O3},                    \
     PARAMETER, NULL, SELECT, READ, WRITE,    UNDEFINED,                       \
     ATTRIBUTES, #SELECT},
const struct opcode opcodes[] = {
#include "emu/x86/opcodes.def"
};
#undef OP
#undef OPS
const size_t opcode_count = sizeof opcodes / sizeof opcodes[0];

/* Number + 1 of the last row of each (map, byte): later initialisers override
 * earlier ones, which is what makes this table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
enum { ROW_BASE = __COUNTER__ };
#define OP(MAP, BYTE, ...) [MAP][BYTE] = (uint16_t)(__COUNTER__ - ROW_BASE),
#define OPS(MAP, BYTE, ...) [MAP][BYTE] = (uint16_t)(__COUNTER__ - ROW_BASE),
static const uint16_t last_row[OPCODE_MAPS][256] = {
#include "emu/x86/opcodes.def"
};
#undef OP
#undef OPS
#pragma GCC diagnostic pop

/* What an operand code says of encoding and size. */
enum { SIZE_NONE, SIZE_B = 1, SIZE_W = 2, SIZE_D = 4, SIZE_Q = 8, SIZE_V, SIZE_Y,
       SIZE_Z };
struct operand_info {
    uint8_t size;
    bool modrm;
};
static const struct operand_info operand_info[OPERANDS] = {
    [Eb] = {SIZE_B, true}, [Ew] = {SIZE_W, true}, [Ed] = {SIZE_D, true},
    [Eq] = {SIZE_Q, true}, [Ev] = {SIZE_V, true}, [Ey] = {SIZE_Y, true},
    [Gb] = {SIZE_B, true}, [Gw] = {SIZE_W, true}, [Gd] = {SIZE_D, true},
    [Gv] = {SIZE_V, true}, [Gy] = {SIZE_Y, true}, [Gz] = {SIZE_Z, true},
    [Zb] = {SIZE_B, false}, [Zv] = {SIZE_V, false},
    [M] = {SIZE_NONE, true}, [Ma] = {SIZE_NONE, true},
    [Mb] = {SIZE_B, true}, [Mw] = {SIZE_W, true}, [Md] = {SIZE_D, true},
    [Mq] = {SIZE_Q, true}, [Mt] = {SIZE_NONE, true},
    [Mdq] = {SIZE_NONE, true}, [Ms] = {SIZE_NONE, true},
    [Mp] = {SIZE_NONE, true}, [Mpv] = {SIZE_V, true}, [Mv] = {SIZE_V, true},
    [My] = {SIZE_Y, true}, [Ap] = {SIZE_V, false}, [Iz] = {SIZE_V, false},
    [Ibs] = {SIZE_V, false}, [Ob] = {SIZE_B, false}, [Ov] = {SIZE_V, false},
    [Sw] = {SIZE_NONE, true}, [Cy] = {SIZE_NONE, true},
    [Dy] = {SIZE_NONE, true}, [Ry] = {SIZE_Y, true},
    [Xb] = {SIZE_B, false}, [Xv] = {SIZE_V, false}, [Xz] = {SIZE_Z, false},
    [Yb] = {SIZE_B, false}, [Yv] = {SIZE_V, false}, [Yz] = {SIZE_Z, false},
    [AL] = {SIZE_B, false}, [eAX] = {SIZE_Z, false}, [rAX] = {SIZE_V, false},
    [ES] = {SIZE_V, false}, [CS] = {SIZE_V, false}, [SS] = {SIZE_V, false},
    [DS] = {SIZE_V, false}, [FS] = {SIZE_V, false}, [GS] = {SIZE_V, false},
    [Pq] = {SIZE_NONE, true}, [Qq] = {SIZE_NONE, true},
    [Qd] = {SIZE_NONE, true}, [Nq] = {SIZE_NONE, true},
    [Vx] = {SIZE_NONE, true}, [Wx] = {SIZE_NONE, true},
    [Wd] = {SIZE_NONE, true}, [Wq] = {SIZE_NONE, true},
    [Ww] = {SIZE_NONE, true}, [Ux] = {SIZE_NONE, true},
};

/* The bytes being decoded, and the instruction so far. */
struct reader {
    const uint8_t *bytes;
    size_t size, at;
    bool more; /* ran out of bytes */
};

static uint64_t take(struct reader *r, unsigned n)
{
    uint64_t v = 0;
    if (r->size - r->at < n) {
        r->more = true;
        r->at = r->size;
        return 0;
    }
    memcpy(&v, r->bytes + r->at, n);
    r->at += n;
    return v;
}

static bool code64(uint32_t mode)
{
    return (mode & MODE_CODE) == MODE_CODE64;
}

struct prefixes {
    bool opsize, addrsize, lock;
    uint8_t rep;     /* 0, 0xF2 or 0xF3: the last one */
    uint8_t segment; /* enum seg + 1; 0 = none */
    uint8_t rex;
};

static uint8_t take_prefixes(struct reader *r, uint32_t mode,
                             struct prefixes *p)
{
    for (;;) {
        uint8_t b = (uint8_t)take(r, 1);
        if (r->more)
            return 0;
        switch (b) {
        case 0x26: p->segment = SEG_ES + 1; break;
        case 0x2E: p->segment = SEG_CS + 1; break;
        case 0x36: p->segment = SEG_SS + 1; break;
        case 0x3E: p->segment = SEG_DS + 1; break;
        case 0x64: p->segment = SEG_FS + 1; break;
        case 0x65: p->segment = SEG_GS + 1; break;
        case 0x66: p->opsize = true; break;
        case 0x67: p->addrsize = true; break;
        case 0xF0: p->lock = true; break;
        case 0xF2:
        case 0xF3: p->rep = b; break;
        default:
            if (code64(mode) && (b & 0xF0) == 0x40) {
                p->rex = b;
                b = (uint8_t)take(r, 1);
                /* A REX before another prefix has no effect. */
                switch (b) {
                case 0x26:
                case 0x2E:
                case 0x36:
                case 0x3E:
                case 0x64:
                case 0x65:
                case 0x66:
                case 0x67:
                case 0xF0:
                case 0xF2:
                case 0xF3:
                    p->rex = 0;
                    r->at--;
                    continue;
                default:
                    if ((b & 0xF0) == 0x40) {
                        r->at--;
                        continue;
                    }
                    return b;
                }
            }
            return b;
        }
    }
}

static bool row_wants_modrm(const struct opcode *o)
{
    if (o->ext != X_NONE)
        return true;
    for (unsigned i = 0; i < 3; i++)
        if (operand_info[o->operand[i]].modrm)
            return true;
    return false;
}

static bool row_matches(const struct opcode *o, const struct prefixes *p,
                        uint32_t mode, uint8_t modrm)
{
    if (code64(mode) ? (o->attributes & A_NO64) != 0
                     : (o->attributes & A_ONLY64) != 0)
        return false;
    switch (o->prefix) {
    case P_NP:
        if (p->rep || p->opsize)
            return false;
        break;
    case P_66:
        if (p->rep || !p->opsize)
            return false;
        break;
    case P_F3:
        if (p->rep != 0xF3)
            return false;
        break;
    case P_F2:
        if (p->rep != 0xF2)
            return false;
        break;
    default:
        break;
    }
    bool memory = modrm < 0xC0;
    unsigned reg = (modrm >> 3) & 7;
    switch (o->ext & 0xF00) {
    case X_MEM:
        return memory;
    case X_REG:
        return !memory;
    case X_R(0):
        return reg == (o->ext & 0xFF);
    case X_MR(0):
        return memory && reg == (o->ext & 0xFF);
    case X_RR(0):
        return !memory && reg == (o->ext & 0xFF);
    case X_B(0):
        return modrm == (o->ext & 0xFF);
    default:
        return true;
    }
}

/* Effective-address forms of 16-bit addressing (SDM 2A table 2-1). */
static void address16(struct reader *r, struct insn *i)
{
    static const uint8_t bases[8] = {R_BX, R_BX, R_BP, R_BP,
                                     R_SI, R_DI, R_BP, R_BX};
    static const uint8_t indexes[8] = {R_SI, R_DI, R_SI, R_DI,
                                       R_ZERO, R_ZERO, R_ZERO, R_ZERO};
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    i->base = bases[rm];
    i->index = indexes[rm];
    i->scale = 1;
    if (mod == 0 && rm == 6) {
        i->base = R_ZERO;
        i->disp = (int16_t)take(r, 2);
    } else if (mod == 1) {
        i->disp = (int8_t)take(r, 1);
    } else if (mod == 2) {
        i->disp = (int16_t)take(r, 2);
    }
}

/* And of 32- and 64-bit addressing (tables 2-2, 2-3, section 2.2.1). */
static void address32(struct reader *r, struct insn *i, uint32_t mode)
{
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    unsigned rex = i->rex;
    i->index = R_ZERO;
    i->scale = 1;
    bool disp32 = mod == 2;
    if (rm == 4) {
        uint8_t sib = (uint8_t)take(r, 1);
        unsigned index = ((sib >> 3) & 7) | ((rex & 2) << 2);
        if (index != 4) {
            i->index = (uint8_t)index;
            i->scale = (uint8_t)(1u << (sib >> 6));
        }
        i->base = (uint8_t)((sib & 7) | ((rex & 1) << 3));
        if ((sib & 7) == 5 && mod == 0) {
            i->base = R_ZERO;
            disp32 = true;
        }
    } else if (rm == 5 && mod == 0) {
        i->base = R_ZERO;
        disp32 = true;
        if (code64(mode)) {
            i->base = R_IPPAGE;
            i->rip_relative = true;
        }
    } else {
        i->base = (uint8_t)(rm | ((rex & 1) << 3));
    }
    if (disp32)
        i->disp = (int32_t)take(r, 4);
    else if (mod == 1)
        i->disp = (int8_t)take(r, 1);
}

static void take_modrm(struct reader *r, struct insn *i, uint32_t mode)
{
    i->reg = (uint8_t)(((i->modrm >> 3) & 7) | ((i->rex & 4) << 1));
    i->rm = (uint8_t)((i->modrm & 7) | ((i->rex & 1) << 3));
    if (i->modrm >= 0xC0 || (i->opcode->attributes & A_MODREG))
        return;
    i->memory = true;
    i->rm = 0;
    if (i->address_size == 2)
        address16(r, i);
    else
        address32(r, i, mode);
}

/* Default segment of the memory operand, and what an override makes of it. */
static void choose_segment(struct insn *i, const struct prefixes *p,
                           uint32_t mode)
{
    unsigned seg = SEG_DS;
    bool stack = i->base == R_BP || (i->base == R_SP && i->address_size != 2);
    if (i->memory && stack)
        seg = SEG_SS;
    if (p->segment)
        seg = p->segment - 1u;
    if (code64(mode) && seg != SEG_FS && seg != SEG_GS)
        seg = i->memory && stack ? SEG_SS : SEG_DS;
    i->seg = (uint8_t)seg;
}

static uint8_t resolve_size(unsigned size, uint8_t v, uint8_t rex)
{
    switch (size) {
    case SIZE_V:
        return v;
    case SIZE_Z:
        return v == 8 ? 4 : v;
    case SIZE_Y:
        return (rex & 8) ? 8 : 4;
    default:
        return (uint8_t)size;
    }
}

static uint8_t choose_operand_size(const struct insn *i, uint32_t mode)
{
    const struct opcode *o = i->opcode;
    uint8_t v = (mode & MODE_CODE) == MODE_CODE16 ? 2 : 4;
    if (i->opsize_prefix)
        v = v == 2 ? 4 : 2;
    if (code64(mode)) {
        if (o->attributes & A_F64)
            v = 8;
        else if (o->attributes & A_D64)
            v = i->opsize_prefix ? 2 : 8;
        if (i->rex & 8)
            v = 8;
    }
    if (o->attributes & A_OPSIZE)
        return v;
    /* crc32's size is its source's */
    if (o->map == M38 && o->prefix == P_F2)
        return resolve_size(operand_info[o->operand[1]].size, v, i->rex);
    for (unsigned k = 0; k < 3; k++) {
        unsigned size = operand_info[o->operand[k]].size;
        if (size)
            return resolve_size(size, v, i->rex);
    }
    return v;
}

static void take_immediates(struct reader *r, struct insn *i, uint32_t mode)
{
    unsigned z = i->operand_size == 2 ? 2 : 4;
    for (unsigned k = 0; k < 3; k++) {
        switch (i->opcode->operand[k]) {
        case Ib:
            if (i->opcode->operand[0] == Iw) /* ENTER */
                i->imm |= take(r, 1) << 16;
            else
                i->imm = take(r, 1);
            break;
        case Ibs:
            i->imm = (uint64_t)(int64_t)(int8_t)take(r, 1);
            break;
        case Iw:
            i->imm = take(r, 2);
            break;
        case Iz:
            i->imm = z == 2 ? (uint64_t)(int64_t)(int16_t)take(r, 2)
                            : (uint64_t)(int64_t)(int32_t)take(r, 4);
            break;
        case Iv:
            i->imm = take(r, i->operand_size);
            break;
        case Jb:
            i->disp = (int8_t)take(r, 1);
            break;
        case Jz:
            i->disp = z == 2 && !code64(mode) ? (int16_t)take(r, 2)
                                              : (int32_t)take(r, 4);
            break;
        case Ap:
            i->imm = take(r, z);
            i->imm |= take(r, 2) << 32;
            break;
        case Ob:
        case Ov:
            i->imm = take(r, i->address_size);
            break;
        default:
            break;
        }
    }
}

/* Encodings that a row cannot rule out by itself. */
static bool forbidden(const struct insn *i)
{
    const struct opcode *o = i->opcode;
    if (i->lock &&
        (!(o->attributes & A_LOCK) || !i->memory ||
         (o->operand[0] != Eb && o->operand[0] != Ev && o->operand[0] != M)))
        return true;
    if (o->operand[0] == Sw) /* MOV to CS, or to no register */
        return (i->reg & 7) == SEG_CS || (i->reg & 7) > SEG_GS;
    if (o->operand[1] == Sw)
        return (i->reg & 7) > SEG_GS;
    return false;
}

/* Follows the opcode bytes; returns the map, and the last byte in *byte. */
static unsigned take_opcode(struct reader *r, uint8_t first, uint8_t *byte)
{
    *byte = first;
    if (first != 0x0F)
        return M1;
    *byte = (uint8_t)take(r, 1);
    if (*byte == 0x38 || *byte == 0x3A) {
        unsigned map = *byte == 0x38 ? M38 : M3A;
        *byte = (uint8_t)take(r, 1);
        return map;
    }
    return M0F;
}

static enum decode_result outcome(const struct reader *r, struct insn *i,
                                  size_t given)
{
    i->length = (uint8_t)r->at;
    if (r->more)
        return given >= 15 ? DECODE_LONG : DECODE_MORE;
    if (!i->opcode || forbidden(i))
        return DECODE_UD;
    return DECODE_OK;
}

enum decode_result decode(const uint8_t *bytes, size_t size, uint32_t mode,
                          struct insn *i)
{
    struct reader r = {bytes, size < 15 ? size : 15, 0, false};
    struct prefixes p = {0};
    *i = (struct insn){.base = R_ZERO, .index = R_ZERO, .scale = 1};
    uint8_t byte = take_prefixes(&r, mode, &p);
    unsigned map = r.more ? M1 : take_opcode(&r, byte, &byte);
    if (r.more)
        return outcome(&r, i, size);
    i->rex = p.rex;
    i->lock = p.lock;
    i->rep = p.rep == 0xF3;
    i->repne = p.rep == 0xF2;
    i->opsize_prefix = p.opsize;
    i->address_size = code64(mode) ? (p.addrsize ? 4 : 8)
                      : ((mode & MODE_CODE) == MODE_CODE32) != p.addrsize ? 4
                                                                          : 2;
    unsigned row = last_row[map][byte];
    if (!row)
        return outcome(&r, i, size);
    const struct opcode *o = &opcodes[row - 1];
    if (row_wants_modrm(o)) {
        i->has_modrm = true;
        i->modrm = (uint8_t)take(&r, 1);
        if (r.more)
            return outcome(&r, i, size);
    }
    for (; row && o->map == map && o->byte == byte; row--, o--) {
        if (row_matches(o, &p, mode, i->modrm)) {
            i->opcode = o;
            break;
        }
        if (row == 1)
            break;
    }
    if (!i->opcode)
        return outcome(&r, i, size);
    i->operand_size = choose_operand_size(i, mode);
    if (i->has_modrm)
        take_modrm(&r, i, mode);
    if (o->attributes & A_XLAT) {
        i->memory = true;
        i->base = R_BX;
    }
    choose_segment(i, &p, mode);
    take_immediates(&r, i, mode);
    return outcome(&r, i, size);
}

/* A byte register's number as an offset into r[]: AH..BH without REX. */
static uint8_t byte_register(unsigned n, unsigned rex)
{
    return (uint8_t)(rex || n < 4 ? n * 8 : (n - 4) * 8 + 1);
}

static unsigned segment_of_lseg(unsigned byte)
{
    switch (byte) {
    case 0xC4: return SEG_ES;
    case 0xC5: return SEG_DS;
    case 0xB2: return SEG_SS;
    case 0xB4: return SEG_FS;
    default: return SEG_GS;
    }
}

/* Fixed registers and other operands that the encoding only implies. */
static void bind_operand(const struct insn *i, unsigned operand, struct uop *u)
{
    switch (operand) {
    case Eb:
        if (!i->memory)
            u->rm = byte_register(i->rm, i->rex);
        break;
    case Gb:
        u->reg = byte_register(i->reg, i->rex);
        break;
    case Zb:
    case Zv: {
        unsigned n = (i->opcode->byte & 7) | ((i->rex & 1u) << 3);
        u->rm = operand == Zb ? byte_register(n, i->rex) : (uint8_t)n;
        break;
    }
    case Cy:
    case Dy:
        u->reg = i->reg;
        break;
    case Sw:
        u->reg = i->reg & 7;
        break;
    case ES:
    case CS:
    case SS:
    case DS:
    case FS:
    case GS:
        u->reg = (uint8_t)(operand - ES + SEG_ES);
        break;
    case DX:
        u->base = R_DX;
        break;
    case Jb: /* LOOPcc, JCXZ are told apart by it */
        u->reg = i->opcode->byte & 3;
        break;
    case one:
        u->imm = 1;
        break;
    case Mp:
        u->imm = segment_of_lseg(i->opcode->byte);
        break;
    default:
        break;
    }
}

void decode_bind(const struct insn *i, uint32_t mode, struct uop *u)
{
    const struct opcode *o = i->opcode;
    *u = (struct uop){
        .imm = i->imm, .disp = i->disp, .reg = i->reg, .rm = i->rm,
        .base = i->base, .index = i->index, .scale = i->scale, .seg = i->seg,
        .size = i->operand_size, .len = i->length,
    };
    u->flags = (uint8_t)((i->memory ? UOP_MEM : 0) | (i->lock ? UOP_LOCK : 0) |
                         (i->rep ? UOP_REP : 0) | (i->repne ? UOP_REPNE : 0) |
                         (i->address_size == 2   ? UOP_ADDR16
                          : i->address_size == 4 ? UOP_ADDR32
                                                 : 0));
    for (unsigned k = 0; k < 3; k++)
        bind_operand(i, o->operand[k], u);
    if (o->map == M1 && (o->byte & 0xF8) == 0xD8) /* x87: FOP */
        u->imm = (uint64_t)(o->byte & 7) << 8 | i->modrm;
    /* `reg op= rm` between registers is `rm op= reg` with the two swapped. */
    bool to_reg = o->operand[0] == Gb || o->operand[0] == Gv;
    if (o->select == select_alu && to_reg && !i->memory) {
        uint8_t reg = u->reg;
        u->reg = u->rm;
        u->rm = reg;
    }
    u->fn = o->select ? o->select(i, mode) : o->handler;
}
