/*
 * Expressions: a recursive-descent parser into an array of nodes, and their
 * evaluation. See expr.h for the language.
 */
#include "monitor/expr.h"

#include "emu/machine.h"
#include "emu/x86/cpu.h"
#include "emu/x86/mmu.h"
#include "monitor/symbols.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum node_kind {
    NODE_NUMBER,
    NODE_REGISTER, /* value: index into the table */
    NODE_FIELD,    /* value: index into the event's fields */
    NODE_COUNT,    /* value: kind, or 0x100 + enum sensitive */
    NODE_MEMORY,   /* left: address; value: size, 0x100: physical */
    NODE_UNARY,
    NODE_BINARY,
};

enum operator {
    OP_OR, OP_AND, OP_BIT_OR, OP_BIT_XOR, OP_BIT_AND, OP_EQ, OP_NE, OP_LE,
    OP_GE, OP_SHL, OP_SHR, OP_LT, OP_GT, OP_ADD, OP_SUB, OP_MUL, OP_DIV,
    OP_MOD, OP_FAR, OP_NOT, OP_INVERT, OP_NEGATE, OP_NONE,
};

struct node {
    uint8_t kind, op;
    uint16_t left, right;
    uint64_t value;
};

struct expr {
    uint16_t root, count;
    struct node node[EXPR_NODES];
};

/* In the order in which they are tried: longer ones first. */
static const struct {
    const char *text;
    enum operator op;
    int level; /* the higher, the tighter */
} binary[] = {
    {"||", OP_OR, 1},     {"&&", OP_AND, 2},    {"==", OP_EQ, 6},
    {"!=", OP_NE, 6},     {"<<", OP_SHL, 8},    {">>", OP_SHR, 8},
    {"<=", OP_LE, 7},     {">=", OP_GE, 7},     {"|", OP_BIT_OR, 3},
    {"^", OP_BIT_XOR, 4}, {"&", OP_BIT_AND, 5}, {"<", OP_LT, 7},
    {">", OP_GT, 7},      {"+", OP_ADD, 9},     {"-", OP_SUB, 9},
    {"*", OP_MUL, 10},    {"/", OP_DIV, 10},    {"%", OP_MOD, 10},
    {":", OP_FAR, 11},
};
#define BINARY_COUNT (sizeof(binary) / sizeof(binary[0]))

/* --- names ---------------------------------------------------------------- */

enum source {
    FROM_GPR,  /* index: enum reg; low: first bit */
    FROM_RIP, FROM_EFLAGS, FROM_SELECTOR, FROM_BASE, FROM_CR, FROM_DR,
    FROM_EFER, FROM_CPL, FROM_BITS, FROM_LMA, FROM_LDTR,
    FROM_TR, FROM_GDT_BASE, FROM_IDT_BASE, FROM_GDT_LIMIT, FROM_IDT_LIMIT,
    FROM_LINEAR,
};

struct name {
    const char *name;
    uint8_t from, index, low, bits;
};

#define GPR(Q, D, W, B, N)                                                     \
    {Q, FROM_GPR, N, 0, 64}, {D, FROM_GPR, N, 0, 32},                          \
    {W, FROM_GPR, N, 0, 16}, {B, FROM_GPR, N, 0, 8}
#define GPR8(N) GPR("r" #N, "r" #N "d", "r" #N "w", "r" #N "b", N)
#define FLAG(NAME, BIT, BITS)                                                  \
    {                                                                          \
        NAME, FROM_EFLAGS, 0, BIT, BITS                                        \
    }

static const struct name names[] = {
    GPR("rax", "eax", "ax", "al", R_AX), GPR("rcx", "ecx", "cx", "cl", R_CX),
    GPR("rdx", "edx", "dx", "dl", R_DX), GPR("rbx", "ebx", "bx", "bl", R_BX),
    GPR("rsp", "esp", "sp", "spl", R_SP), GPR("rbp", "ebp", "bp", "bpl", R_BP),
    GPR("rsi", "esi", "si", "sil", R_SI), GPR("rdi", "edi", "di", "dil", R_DI),
    GPR8(8), GPR8(9), GPR8(10), GPR8(11),
    GPR8(12), GPR8(13), GPR8(14), GPR8(15),
    {"ah", FROM_GPR, R_AX, 8, 8}, {"ch", FROM_GPR, R_CX, 8, 8},
    {"dh", FROM_GPR, R_DX, 8, 8}, {"bh", FROM_GPR, R_BX, 8, 8},
    {"rip", FROM_RIP, 0, 0, 64}, {"eip", FROM_RIP, 0, 0, 32},
    {"ip", FROM_RIP, 0, 0, 16}, {"pc", FROM_LINEAR, 0, 0, 64},
    {"rflags", FROM_EFLAGS, 0, 0, 64}, {"eflags", FROM_EFLAGS, 0, 0, 32},
    {"flags", FROM_EFLAGS, 0, 0, 16},
    {"es", FROM_SELECTOR, SEG_ES, 0, 16}, {"cs", FROM_SELECTOR, SEG_CS, 0, 16},
    {"ss", FROM_SELECTOR, SEG_SS, 0, 16}, {"ds", FROM_SELECTOR, SEG_DS, 0, 16},
    {"fs", FROM_SELECTOR, SEG_FS, 0, 16}, {"gs", FROM_SELECTOR, SEG_GS, 0, 16},
    {"es_base", FROM_BASE, SEG_ES, 0, 64}, {"cs_base", FROM_BASE, SEG_CS, 0, 64},
    {"ss_base", FROM_BASE, SEG_SS, 0, 64}, {"ds_base", FROM_BASE, SEG_DS, 0, 64},
    {"fs_base", FROM_BASE, SEG_FS, 0, 64}, {"gs_base", FROM_BASE, SEG_GS, 0, 64},
    {"cr0", FROM_CR, 0, 0, 64}, {"cr2", FROM_CR, 2, 0, 64},
    {"cr3", FROM_CR, 3, 0, 64}, {"cr4", FROM_CR, 4, 0, 64},
    {"cr8", FROM_CR, 8, 0, 64}, {"efer", FROM_EFER, 0, 0, 64},
    {"dr0", FROM_DR, 0, 0, 64}, {"dr1", FROM_DR, 1, 0, 64},
    {"dr2", FROM_DR, 2, 0, 64}, {"dr3", FROM_DR, 3, 0, 64},
    {"dr6", FROM_DR, 6, 0, 64}, {"dr7", FROM_DR, 7, 0, 64},
    {"ldtr", FROM_LDTR, 0, 0, 16}, {"tr", FROM_TR, 0, 0, 16},
    {"gdtr_base", FROM_GDT_BASE, 0, 0, 64},
    {"gdtr_limit", FROM_GDT_LIMIT, 0, 0, 16},
    {"idtr_base", FROM_IDT_BASE, 0, 0, 64},
    {"idtr_limit", FROM_IDT_LIMIT, 0, 0, 16},
    FLAG("cf", 0, 1), FLAG("pf", 2, 1), FLAG("af", 4, 1), FLAG("zf", 6, 1),
    FLAG("sf", 7, 1), FLAG("tf", 8, 1), FLAG("if", 9, 1), FLAG("df", 10, 1),
    FLAG("of", 11, 1), FLAG("iopl", 12, 2), FLAG("nt", 14, 1),
    FLAG("rf", 16, 1), FLAG("vm", 17, 1), FLAG("ac", 18, 1),
    FLAG("vif", 19, 1), FLAG("vip", 20, 1), FLAG("id", 21, 1),
    {"pe", FROM_CR, 0, 0, 1}, {"pg", FROM_CR, 0, 31, 1},
    {"lma", FROM_LMA, 0, 0, 1}, {"cpl", FROM_CPL, 0, 0, 2},
    {"bits", FROM_BITS, 0, 0, 8},
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static const char *const fields[] = {
    "port", "addr", "value", "size", "write", "vector", "reg", "reason",
    "detail", "error", "leaf", "msr",
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

const char *expr_name(unsigned index)
{
    return index < NAME_COUNT ? names[index].name : NULL;
}

static uint64_t control_register(const struct cpu *c, unsigned index)
{
    switch (index) {
    case 0: return c->cr0;
    case 2: return c->cr2;
    case 3: return c->cr3;
    case 4: return c->cr4;
    default: return c->cr8;
    }
}

static uint64_t name_value(const struct cpu *c, const struct name *n)
{
    uint64_t v = 0;

    switch ((enum source)n->from) {
    case FROM_GPR: v = c->r[n->index]; break;
    case FROM_RIP: v = c->rip; break;
    case FROM_EFLAGS: v = cpu_get_eflags(c); break;
    case FROM_SELECTOR: v = c->seg[n->index].selector; break;
    case FROM_BASE: v = c->seg[n->index].base; break;
    case FROM_CR: v = control_register(c, n->index); break;
    case FROM_DR: v = c->dr[n->index]; break;
    case FROM_EFER: v = c->msr.efer; break;
    case FROM_CPL: v = c->cpl; break;
    case FROM_BITS: v = UINT64_C(16) << (c->mode & MODE_CODE); break;
    case FROM_LMA: v = c->long_mode; break;
    case FROM_LDTR: v = c->ldtr.selector; break;
    case FROM_TR: v = c->tr.selector; break;
    case FROM_GDT_BASE: v = c->gdtr.base; break;
    case FROM_IDT_BASE: v = c->idtr.base; break;
    case FROM_GDT_LIMIT: v = c->gdtr.limit; break;
    case FROM_IDT_LIMIT: v = c->idtr.limit; break;
    case FROM_LINEAR: v = cpu_linear_rip(c); break;
    }
    v >>= n->low;
    return n->bits == 64 ? v : v & ((UINT64_C(1) << n->bits) - 1);
}

static int find_name(const char *text, size_t length)
{
    for (unsigned i = 0; i < NAME_COUNT; i++)
        if (strlen(names[i].name) == length &&
            strncasecmp(names[i].name, text, length) == 0)
            return (int)i;
    return -1;
}

bool expr_register(const struct cpu *cpu, const char *name, uint64_t *value)
{
    int i = find_name(name, strlen(name));

    if (i >= 0)
        *value = name_value(cpu, &names[i]);
    return i >= 0;
}

/* --- parsing ------------------------------------------------------------- */

struct parse {
    const char *start, *at;
    const struct symbols *symbols;
    bool event;
    unsigned depth;
    struct expr *e;
    char *error;
};

#define FAILED (-1)
static int parse_level(struct parse *p, int level);

static int fail(struct parse *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct parse *p, const char *format, ...)
{
    char text[EXPR_ERROR - 24];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    snprintf(p->error, EXPR_ERROR, "column %zu: %s",
             (size_t)(p->at - p->start) % 100000 + 1, text);
    return FAILED;
}

static void blanks(struct parse *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static int add(struct parse *p, struct node node)
{
    if (p->e->count == EXPR_NODES)
        return fail(p, "the expression is too long");
    p->e->node[p->e->count] = node;
    return p->e->count++;
}

static int number(struct parse *p)
{
    const char *digits = p->at;
    unsigned base = 10;
    uint64_t value = 0;
    bool any = false;

    if (digits[0] == '0' && (digits[1] | 0x20) == 'x')
        base = 16;
    else if (digits[0] == '0' && (digits[1] | 0x20) == 'b')
        base = 2;
    if (base != 10)
        digits += 2;
    for (; isalnum((unsigned char)*digits) || *digits == '_'; digits++) {
        unsigned char c = (unsigned char)*digits;
        unsigned d = isdigit(c) ? c - (unsigned)'0'
                     : c == '_' ? 99
                                : ((unsigned)c | 0x20u) - 'a' + 10;
        if (d >= base)
            return fail(p, base == 10 ? "not a decimal number (hexadecimal "
                                        "ones begin with 0x)"
                                      : "not a number");
        uint64_t next;
        if (__builtin_mul_overflow(value, (uint64_t)base, &next) ||
            __builtin_add_overflow(next, (uint64_t)d, &value))
            return fail(p, "the number has more than 64 bits");
        any = true;
    }
    if (!any)
        return fail(p, "digits are missing");
    p->at = digits;
    return add(p, (struct node){.kind = NODE_NUMBER, .value = value});
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '@';
}

static size_t word_length(const char *text)
{
    size_t n = 0;

    while (is_word(text[n]))
        n++;
    return n;
}

static bool word_is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* exits KIND. Kinds have hyphens, which no other word has. */
static int count_of(struct parse *p)
{
    blanks(p);
    const char *text = p->at;
    size_t n = 0;

    for (; isalpha((unsigned char)text[n]) ||
           (text[n] == '-' && isalpha((unsigned char)text[n + 1]));
         n++)
        ;
    for (unsigned k = 0; k < EVENT_KINDS; k++)
        if (word_is(text, n, event_kind_name((enum event_kind)k))) {
            p->at += n;
            return add(p, (struct node){.kind = NODE_COUNT, .value = k});
        }
    for (unsigned k = 1; k < SENSITIVE_KINDS; k++)
        if (word_is(text, n, sensitive_name((enum sensitive)k))) {
            p->at += n;
            return add(p, (struct node){.kind = NODE_COUNT,
                                        .value = 0x100 + k});
        }
    return fail(p, "\"exits %.*s\": there is no such kind of event",
                (int)(n < 30 ? n : 30), text);
}

static int primary(struct parse *p);

/* [A], with the words before it already taken. */
static int memory(struct parse *p, uint64_t size)
{
    blanks(p);
    if (*p->at != '[')
        return fail(p, "[ADDRESS] is missing");
    p->at++;
    int left = parse_level(p, 1);
    if (left < 0)
        return left;
    blanks(p);
    if (*p->at != ']')
        return fail(p, "] is missing");
    p->at++;
    return add(p, (struct node){.kind = NODE_MEMORY, .left = (uint16_t)left,
                                .value = size});
}

/* byte, word, dword, qword, phys and their combinations: 1 when it is one. */
static int memory_words(struct parse *p, int *result)
{
    static const struct {
        const char *word;
        uint64_t size;
    } sizes[] = {
        {"byte", 1}, {"word", 2}, {"dword", 4}, {"qword", 8}, {"phys", 0x100}};
    const char *begin = p->at;
    uint64_t size = 0;

    for (unsigned words = 0; words < 2; words++) {
        size_t n = word_length(p->at);
        uint64_t found = 0;
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            if (word_is(p->at, n, sizes[i].word))
                found = sizes[i].size;
        if (!found)
            break;
        size |= found;
        p->at += n;
        blanks(p);
    }
    if (!size || *p->at != '[') {
        p->at = begin; /* a symbol may have such a name */
        return 0;
    }
    *result = memory(p, size);
    return 1;
}

static int quoted(struct parse *p)
{
    const char *close = strchr(p->at + 1, '\'');
    uint64_t value;

    if (!close)
        return fail(p, "the closing ' is missing");
    size_t n = (size_t)(close - p->at) - 1;
    if (!symbols_find(p->symbols, p->at + 1, n, &value))
        return fail(p, "there is no symbol '%.*s'", (int)(n < 60 ? n : 60),
                    p->at + 1);
    p->at = close + 1;
    return add(p, (struct node){.kind = NODE_NUMBER, .value = value});
}

static int word(struct parse *p)
{
    bool dollar = *p->at == '$';
    const char *text = p->at + dollar;
    size_t n = word_length(text);
    int result, index = find_name(text, n);
    uint64_t value;

    if (!dollar && memory_words(p, &result))
        return result;
    if (!dollar && word_is(text, n, "exits")) {
        p->at += n;
        return count_of(p);
    }
    for (unsigned i = 0; p->event && !dollar && i < FIELD_COUNT; i++)
        if (word_is(text, n, fields[i])) {
            p->at += n;
            return add(p, (struct node){.kind = NODE_FIELD, .value = i});
        }
    if (index >= 0) {
        p->at = text + n;
        return add(p, (struct node){.kind = NODE_REGISTER,
                                    .value = (unsigned)index});
    }
    if (!dollar && symbols_find(p->symbols, text, n, &value)) {
        p->at = text + n;
        return add(p, (struct node){.kind = NODE_NUMBER, .value = value});
    }
    int shown = (int)(n < 40 ? n : 40);
    if (dollar)
        return fail(p, "there is no register $%.*s", shown, text);
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (word_is(text, n, fields[i]))
            return fail(p, "%s is known where an event is: break on KIND if",
                        fields[i]);
    return fail(p, "%.*s is no register%s", shown, text,
                p->symbols ? " and no symbol"
                           : ", and no symbols are loaded (-symbols)");
}

static int unary(struct parse *p, enum operator op)
{
    p->at++;
    int left = primary(p);
    if (left < 0)
        return left;
    return add(p, (struct node){.kind = NODE_UNARY, .op = (uint8_t)op,
                                .left = (uint16_t)left});
}

static int parentheses(struct parse *p)
{
    p->at++;
    int inner = parse_level(p, 1);
    if (inner < 0)
        return inner;
    blanks(p);
    if (*p->at != ')')
        return fail(p, ") is missing");
    p->at++;
    return inner;
}

static int primary_inner(struct parse *p)
{
    char c = *p->at;

    if (isdigit((unsigned char)c))
        return number(p);
    if (isalpha((unsigned char)c) || c == '_' || c == '$' || c == '.')
        return word(p);
    switch (c) {
    case '(': return parentheses(p);
    case '[': return memory(p, 0);
    case '\'': return quoted(p);
    case '-': return unary(p, OP_NEGATE);
    case '~': return unary(p, OP_INVERT);
    case '!': return unary(p, OP_NOT);
    case '\0': return fail(p, "an expression is missing");
    default:
        if (isprint((unsigned char)c))
            return fail(p, "\"%c\" is not expected here", c);
        return fail(p, "byte 0x%02x is not expected here", (unsigned char)c);
    }
}

static int primary(struct parse *p)
{
    blanks(p);
    if (p->depth == EXPR_DEPTH)
        return fail(p, "nested too deeply");
    p->depth++;
    int result = primary_inner(p);
    p->depth--;
    return result;
}

/* The binary operator here, if it binds as tightly as `level`. */
static int operator_at(struct parse *p, int level)
{
    blanks(p);
    for (unsigned i = 0; i < BINARY_COUNT; i++) {
        size_t n = strlen(binary[i].text);
        if (strncmp(p->at, binary[i].text, n) == 0)
            return binary[i].level >= level ? (int)i : -1;
    }
    return -1;
}

/* Precedence climbing; all binary operators group to the left. */
static int parse_level(struct parse *p, int level)
{
    int left = primary(p), i;

    if (p->depth == EXPR_DEPTH)
        return fail(p, "nested too deeply");
    p->depth++;
    while (left >= 0 && (i = operator_at(p, level)) >= 0) {
        p->at += strlen(binary[i].text);
        int right = parse_level(p, binary[i].level + 1);
        if (right < 0) {
            left = right;
            break;
        }
        left = add(p, (struct node){.kind = NODE_BINARY,
                                    .op = (uint8_t)binary[i].op,
                                    .left = (uint16_t)left,
                                    .right = (uint16_t)right});
    }
    p->depth--;
    return left;
}

struct expr *expr_parse(const char *text, const struct symbols *symbols,
                        bool event, const char **end, char error[EXPR_ERROR])
{
    struct parse p = {.start = text, .at = text, .symbols = symbols,
                      .event = event, .error = error};

    p.e = calloc(1, sizeof(*p.e));
    if (!p.e) {
        snprintf(error, EXPR_ERROR, "out of memory");
        return NULL;
    }
    int root = parse_level(&p, 1);
    if (root < 0) {
        free(p.e);
        return NULL;
    }
    p.e->root = (uint16_t)root;
    blanks(&p);
    *end = p.at;
    return p.e;
}

void expr_free(struct expr *expr)
{
    free(expr);
}

/* --- evaluation ---------------------------------------------------------- */

struct eval {
    const struct expr *e;
    const struct expr_context *context;
    char *error;
};

static bool eval_node(struct eval *v, unsigned index, uint64_t *value);

static bool eval_memory(struct eval *v, const struct node *n, uint64_t *value)
{
    struct cpu *cpu = v->context->cpu;
    unsigned size = n->value & 0xFF;
    uint64_t addr, result = 0;
    size_t got;

    if (!eval_node(v, n->left, &addr))
        return false;
    if (size == 0)
        size = 2u << (cpu->mode & MODE_CODE);
    if (n->value & 0x100) {
        const uint8_t *host =
            bus_host(&v->context->machine->memory, addr, size, false);
        got = host ? size : 0;
        if (host)
            memcpy(&result, host, size);
    } else {
        got = mmu_peek(cpu, addr, &result, size);
    }
    if (got != size) {
        snprintf(v->error, EXPR_ERROR, "there is no memory at %s 0x%llx",
                 n->value & 0x100 ? "physical" : "linear",
                 (unsigned long long)addr);
        return false;
    }
    *value = result;
    return true;
}

static uint64_t eval_field(const struct event *e, uint64_t field)
{
    if (!e)
        return 0;
    const char *name = fields[field];
    if (strcmp(name, "value") == 0 || strcmp(name, "error") == 0)
        return e->value;
    if (strcmp(name, "size") == 0)
        return e->size;
    if (strcmp(name, "write") == 0)
        return e->write;
    if (strcmp(name, "vector") == 0 || strcmp(name, "reason") == 0)
        return e->reason;
    if (strcmp(name, "detail") == 0)
        return e->detail;
    return e->addr; /* port, addr, reg, leaf, msr */
}

static uint64_t eval_count(const struct ledger *ledger, uint64_t what)
{
    if (what < EVENT_KINDS)
        return ledger->count[what];
    what -= 0x100;
    return what < SENSITIVE_KINDS ? ledger->sensitive_count[what] : 0;
}

static bool eval_binary(struct eval *v, const struct node *n, uint64_t *value)
{
    uint64_t a, b = 0;

    if (!eval_node(v, n->left, &a))
        return false;
    if ((n->op == OP_AND && !a) || (n->op == OP_OR && a)) {
        *value = n->op == OP_OR;
        return true;
    }
    if (!eval_node(v, n->right, &b))
        return false;
    if ((n->op == OP_DIV || n->op == OP_MOD) && b == 0) {
        snprintf(v->error, EXPR_ERROR, "division by zero");
        return false;
    }
    switch ((enum operator)n->op) {
    case OP_OR: case OP_AND: *value = b != 0; break;
    case OP_BIT_OR: *value = a | b; break;
    case OP_BIT_XOR: *value = a ^ b; break;
    case OP_BIT_AND: *value = a & b; break;
    case OP_EQ: *value = a == b; break;
    case OP_NE: *value = a != b; break;
    case OP_LT: *value = a < b; break;
    case OP_GT: *value = a > b; break;
    case OP_LE: *value = a <= b; break;
    case OP_GE: *value = a >= b; break;
    case OP_SHL: *value = b < 64 ? a << b : 0; break;
    case OP_SHR: *value = b < 64 ? a >> b : 0; break;
    case OP_ADD: *value = a + b; break;
    case OP_SUB: *value = a - b; break;
    case OP_MUL: *value = a * b; break;
    case OP_DIV: *value = a / b; break;
    case OP_MOD: *value = a % b; break;
    default: *value = (a << 4) + b; break;
    }
    return true;
}

static bool eval_node(struct eval *v, unsigned index, uint64_t *value)
{
    const struct node *n = &v->e->node[index];
    const struct expr_context *c = v->context;

    switch ((enum node_kind)n->kind) {
    case NODE_NUMBER:
        *value = n->value;
        return true;
    case NODE_REGISTER:
        *value = name_value(c->cpu, &names[n->value]);
        return true;
    case NODE_FIELD:
        *value = eval_field(c->event, n->value);
        return true;
    case NODE_COUNT:
        *value = eval_count(&c->machine->ledger, n->value);
        return true;
    case NODE_MEMORY:
        return eval_memory(v, n, value);
    case NODE_UNARY:
        if (!eval_node(v, n->left, value))
            return false;
        *value = n->op == OP_NOT      ? !*value
                 : n->op == OP_INVERT ? ~*value
                                      : 0 - *value;
        return true;
    default:
        return eval_binary(v, n, value);
    }
}

bool expr_eval(const struct expr *expr, const struct expr_context *context,
               uint64_t *value, char error[EXPR_ERROR])
{
    struct eval v = {.e = expr, .context = context, .error = error};

    return eval_node(&v, expr->root, value);
}
