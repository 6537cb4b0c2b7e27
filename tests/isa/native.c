/* See native.h. The page at NATIVE_STATE, by offset:
 *   0x000 host rsp   0x008 far pointer to the code (offset, selector)
 *   0x100 registers in   0x200 registers out   0x400 fx in   0x800 fx out
 *   0xF00 top of a scratch stack
 */
#include "tests/isa/native.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define AT(OFFSET) "0x20000" OFFSET
#define LEAVE 0x800u /* the epilogue's place in the code page */

void native_enter(void);
extern const uint8_t native_leave[], native_leave_end[];

__asm__(".text\n"
        "native_enter:\n"
        "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n"
        "  push %r14\n  push %r15\n"
        "  mov %rsp, " AT("000") "\n"
                                 "  fxrstor64 " AT("400") "\n"
                                                          "  pushq " AT("180") "\n  popfq\n"
                                                                               "  mov " AT("100") ", %rax\n  mov " AT("108") ", %rcx\n"
                                                                                                                             "  mov " AT("110") ", %rdx\n  mov " AT("118") ", %rbx\n"
                                                                                                                                                                           "  mov " AT("120") ", %rsp\n  mov " AT("128") ", %rbp\n"
                                                                                                                                                                                                                         "  mov " AT("130") ", %rsi\n  mov " AT("138") ", %rdi\n"
                                                                                                                                                                                                                                                                       "  mov " AT("140") ", %r8\n  mov " AT("148") ", %r9\n"
                                                                                                                                                                                                                                                                                                                    "  mov " AT("150") ", %r10\n  mov " AT(
                                                                                                                                                                                                                                                                                                                        "158") ", %r11\n"
                                                                                                                                                                                                                                                                                                                               "  mov " AT("160") ", %r12\n  mov " AT("168") ", %r13\n"
                                                                                                                                                                                                                                                                                                                                                                             "  mov " AT("170") ", %r14\n  mov " AT(
                                                                                                                                                                                                                                                                                                                                                                                 "178") ", %r15\n"
                                                                                                                                                                                                                                                                                                                                                                                        "  ljmp *" AT(
                                                                                                                                                                                                                                                                                                                                                                                            "008") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                   "native_leave:\n" /* copied behind the instruction's page */
                                                                                                                                                                                                                                                                                                                                                                                                   "  mov %rax, " AT("200") "\n  mov %rcx, " AT("208") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                       "  mov %rdx, " AT("210") "\n  mov %rbx, " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                           "218") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "  mov %rsp, " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "220") "\n  mov %rbp, " AT("228") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        "  mov %rsi, " AT("230") "\n  mov %rdi, " AT("238") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "  mov %r8, " AT("240") "\n  mov %r9, " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                "248") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "  mov %r10, " AT("250") "\n  mov %r11, " AT("258") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "  mov %r12, " AT("260") "\n  mov %r13, " AT("268") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               "  mov %r14, " AT("270") "\n  mov %r15, " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   "278") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "  mov $" AT("f00") ", %esp\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "  pushfq\n  popq " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "280") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         "  fxsave64 " AT(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "800") "\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "  mov " AT("000") ", %rsp\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "  cld\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "  pop %rbp\n  pop %rbx\n  ret\n"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       "native_leave_end:\n");

/* A signal arrives on the thread that runs the test; there is only one. */
static sigjmp_buf back;
static struct isa_result caught;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                  REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    const ucontext_t *uc = context;
    for (unsigned i = 0; i < 16; i++)
        caught.state.gpr[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
    caught.state.flags = (uint64_t)uc->uc_mcontext.gregs[REG_EFL];
    caught.state.rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
    memcpy(caught.state.fx, uc->uc_mcontext.fpregs, 512);
    caught.vector = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
    siglongjmp(back, 1);
}

static int map_at(uintptr_t address, size_t size, int protection)
{
    void *want = (void *)address;
    void *got = mmap(want, size, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return got == want ? 0 : -ENOMEM;
}

int native_init(void)
{
    static uint8_t signal_stack[65536];
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK |
                                           SA_NODEFER};
    const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS};
    int rw = PROT_READ | PROT_WRITE;
    if (map_at(NATIVE_STATE, 4096, rw) ||
        map_at(NATIVE_CODE, 4096, rw | PROT_EXEC) ||
        map_at(NATIVE_DATA, NATIVE_DATA_SIZE, rw))
        return -ENOMEM;
    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    memcpy((uint8_t *)(uintptr_t)NATIVE_CODE + LEAVE, native_leave,
           (size_t)(native_leave_end - native_leave));
    /* A 32-bit segment needs data segments that are not null. */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0x2B));
    return 0;
}

/* jmp far 0x33:leave, from either code size. */
static void append_exit(uint8_t *at, bool code32)
{
    uint32_t leave = NATIVE_CODE + LEAVE;
    if (code32) {
        at[0] = 0xEA;
        memcpy(at + 1, &leave, 4);
        at[5] = 0x33;
        at[6] = 0;
    } else {
        uint32_t from = (uint32_t)(uintptr_t)at + 5;
        uint32_t distance = leave - from;
        at[0] = 0xE9;
        memcpy(at + 1, &distance, 4);
    }
}

void native_run(const uint8_t *code, size_t size, bool code32,
                const struct isa_state *in, struct isa_result *out)
{
    uint8_t *page = (uint8_t *)(uintptr_t)NATIVE_STATE;
    uint8_t *text = (uint8_t *)(uintptr_t)NATIVE_CODE;
    memcpy(text, code, size);
    append_exit(text + size, code32);
    memcpy(page + 0x100, in->gpr, sizeof in->gpr);
    memcpy(page + 0x180, &in->flags, 8);
    memcpy(page + 0x400, in->fx, 512);
    uint32_t offset = NATIVE_CODE;
    uint16_t selector = code32 ? 0x23 : 0x33;
    memcpy(page + 8, &offset, 4);
    memcpy(page + 12, &selector, 2);
    if (sigsetjmp(back, 1) == 0) {
        native_enter();
        memcpy(out->state.gpr, page + 0x200, sizeof out->state.gpr);
        memcpy(&out->state.flags, page + 0x280, 8);
        memcpy(out->state.fx, page + 0x800, 512);
        out->state.rip = NATIVE_CODE + size;
        out->vector = -1;
    } else {
        *out = caught;
    }
    uint32_t mxcsr = 0x1F80;
    __asm__ volatile("fninit; ldmxcsr %0; cld" ::"m"(mxcsr));
}
