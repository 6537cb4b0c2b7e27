/*
 * Code and the stack: disassembly in the mode of CS with symbols, the words
 * at rSP, and the chain of rBP frames.
 */
#include "monitor/look.h"

#include "emu/x86/disasm.h"
#include "monitor/symbols.h"

#include <inttypes.h>
#include <string.h>

#define MAX_INSN 15u
#define MAX_COUNT 65536u
#define MAX_FRAMES 256u

void look_symbol(const struct symbols *symbols, uint64_t addr, char *text,
                 size_t size)
{
    char name[120];

    if (size)
        text[0] = '\0';
    if (symbols && symbols_format(symbols, addr, name, sizeof(name)))
        (void)snprintf(text, size, "<%s>", name);
}

/* Offset in CS of a linear address, where there is one: what the branch
 * targets of 16- and 32-bit code are. */
static uint64_t code_offset(const struct cpu *c, uint64_t linear)
{
    uint64_t offset = linear - c->seg_base[SEG_CS];

    if (!cpu_64bit(c) && offset > c->seg[SEG_CS].limit)
        return linear;
    return offset;
}

static unsigned decode_at(struct cpu *c, enum look_space space, uint64_t addr,
                          uint8_t *bytes, char *text, size_t size)
{
    size_t have = look_read(c, space, addr, bytes, MAX_INSN);

    if (!have)
        return 0;
    unsigned n =
        disasm(bytes, have, c->mode,
               space == LOOK_LINEAR ? code_offset(c, addr) : addr, text, size);
    return n <= have ? n : (unsigned)have;
}

unsigned look_instruction(struct cpu *c, uint64_t linear, char *text,
                          size_t size)
{
    uint8_t bytes[MAX_INSN];

    return decode_at(c, LOOK_LINEAR, linear, bytes, text, size);
}

int look_disassemble(struct cpu *c, FILE *out, const struct symbols *symbols,
                     enum look_space space, uint64_t addr, uint64_t count,
                     uint64_t *next)
{
    const uint64_t rip = cpu_linear_rip(c);
    int result = 0;

    if (count > MAX_COUNT)
        count = MAX_COUNT;
    for (; count; count--) {
        uint8_t bytes[MAX_INSN];
        char text[160], symbol[128], hex[MAX_INSN * 3 + 1] = "";
        unsigned n = decode_at(c, space, addr, bytes, text, sizeof(text));

        look_symbol(space == LOOK_LINEAR ? symbols : NULL, addr, symbol,
                    sizeof(symbol));
        fprintf(out, "%s 0x%0*" PRIx64 ": ",
                space == LOOK_LINEAR && addr == rip ? "=>" : "  ",
                c->long_mode ? 16 : 8, addr);
        if (symbol[0])
            fprintf(out, "%s ", symbol);
        if (!n) {
            fprintf(out, " Cannot access memory\n");
            result = -1;
            break;
        }
        for (unsigned i = 0; i < n; i++)
            (void)snprintf(hex + i * 3, 4, "%02x ", bytes[i]);
        fprintf(out, " %-25s%s\n", hex, text);
        addr += n;
        if (!c->long_mode && space == LOOK_LINEAR)
            addr &= UINT32_MAX;
    }
    if (next)
        *next = addr;
    return result;
}

/* --- the stack ------------------------------------------------------------ */

static unsigned word_size(const struct cpu *c)
{
    static const unsigned size[] = {
        [MODE_CODE16] = 2, [MODE_CODE32] = 4, [MODE_CODE64] = 8,
    };
    return size[c->mode & MODE_CODE];
}

/* Address in SS, in the width of the stack pointer. */
static uint64_t stack_linear(const struct cpu *c, uint64_t sp)
{
    if (cpu_64bit(c))
        return sp;
    sp &= c->seg[SEG_SS].access & ACC_DB ? UINT32_MAX : 0xFFFFu;
    uint64_t linear = c->seg[SEG_SS].base + sp;
    return c->long_mode ? linear : (uint32_t)linear;
}

static bool stack_word(struct cpu *c, uint64_t sp, unsigned size,
                       uint64_t *value)
{
    *value = 0;
    return look_read(c, LOOK_LINEAR, stack_linear(c, sp), value, size) == size;
}

void look_stack(struct cpu *c, FILE *out, const struct symbols *symbols,
                uint64_t words)
{
    const unsigned size = word_size(c);

    if (words > MAX_COUNT)
        words = MAX_COUNT;
    for (uint64_t i = 0; i < words; i++) {
        uint64_t sp = c->r[R_SP] + i * size, value;
        char symbol[128];

        fprintf(out, "%016" PRIx64 ": ", stack_linear(c, sp));
        if (!stack_word(c, sp, size, &value)) {
            fprintf(out, "Cannot access memory\n");
            return;
        }
        look_symbol(symbols, value, symbol, sizeof(symbol));
        fprintf(out, "0x%0*" PRIx64 "%s%s%s\n", (int)size * 2, value,
                symbol[0] ? " " : "", symbol,
                stack_linear(c, sp) == stack_linear(c, c->r[R_BP])
                    ? "  <- frame"
                    : "");
    }
}

static void print_frame(struct cpu *c, FILE *out, const struct symbols *symbols,
                        uint64_t n, uint64_t rip, uint64_t frame)
{
    char symbol[128];

    look_symbol(symbols, c->seg_base[SEG_CS] + rip, symbol, sizeof(symbol));
    fprintf(out, "#%-2" PRIu64 " %0*" PRIx64 " frame %0*" PRIx64 "%s%s\n", n,
            (int)word_size(c) * 2, rip, (int)word_size(c) * 2, frame,
            symbol[0] ? " " : "", symbol);
}

void look_backtrace(struct cpu *c, FILE *out, const struct symbols *symbols,
                    uint64_t frames)
{
    const unsigned size = word_size(c);
    const uint64_t mask =
        size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
    uint64_t bp = c->r[R_BP] & mask, rip = c->rip;
    const char *end = "... more";

    if (frames > MAX_FRAMES)
        frames = MAX_FRAMES;
    for (uint64_t n = 0; n < frames; n++) {
        uint64_t up, ret;

        print_frame(c, out, symbols, n, rip, bp);
        end = "end: rBP is 0";
        if (!bp)
            break;
        end = "end: no memory at rBP";
        if (!stack_word(c, bp, size, &up) ||
            !stack_word(c, bp + size, size, &ret))
            break;
        /* A stack grows down, so callers' frames are further up. */
        end = "end: the chain does not go up";
        if (up && up <= bp)
            break;
        end = "... more";
        bp = up;
        rip = ret;
    }
    fprintf(out, "%s\n", end);
}
