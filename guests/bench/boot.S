/*
 * The bench guest's assembly: the multiboot header, the way from there to long
 * mode, traps, and the loops that run in ring 3.
 *
 * Multiboot 1 gives us 32-bit protected mode, flat segments, A20 on, paging
 * off, EAX = 2BADB002 and EBX = the information structure. Nothing else is
 * certain: no stack, no GDT of ours, CR4 and the x87 control word as found.
 *
 * Manual: Multiboot Specification 0.6.96 (3.2, machine state); SDM 3 9.8.5
 * (long mode), 5.8.8 (SYSCALL).
 *
 * Not modelled: interrupts. They stay off from start to end, so that no tick
 * lands in a measurement.
 */

        .set    KERNEL_CODE32, 0x08
        .set    KERNEL_CODE64, 0x10
        .set    KERNEL_DATA, 0x18
        .set    USER_DATA, 0x28 + 3
        .set    USER_CODE64, 0x30 + 3
        .set    TASK, 0x38
        .set    IOPL3, 3 << 12          /* ring 3 prints by itself */

        .section .multiboot, "ax"
        .balign 4
        .long   0x1BADB002              /* magic, flags, and their negative */
        .long   0x00000001              /* modules page aligned: no matter */
        .long   -(0x1BADB002 + 0x00000001)

        .text
        .code32
        .globl  start
start:
        cli
        cld
        movl    $stack_top, %esp
        pushl   %eax
        pushl   %ebx

        /* 0 to 4 GiB at its own address, in pages of 2 MiB, ring 3 allowed */
        movl    $pd, %edi
        movl    $0x87, %eax             /* large, user, writable, present */
        movl    $2048, %ecx
1:      movl    %eax, (%edi)
        movl    $0, 4(%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        decl    %ecx
        jnz     1b
        movl    $(pd + 7), %eax
        movl    $pdpt, %edi
        movl    $4, %ecx
2:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x1000, %eax
        decl    %ecx
        jnz     2b
        movl    $(pdpt + 7), pml4

        movl    $0x620, %eax            /* PAE; OSFXSR, OSXMMEXCPT: SSE */
        movl    %eax, %cr4
        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0xC0000080, %ecx       /* EFER: long mode, SYSCALL */
        rdmsr
        orl     $0x101, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $0x9FFFFFF3, %eax       /* caches on; no EM, no TS */
        orl     $0x80010022, %eax       /* PG, WP, NE, MP */
        movl    %eax, %cr0
        popl    %ebx
        popl    %eax
        lgdt    gdt_pointer
        ljmp    $KERNEL_CODE64, $long_mode

        .code64
long_mode:
        movl    %eax, %edi              /* main(magic, information) */
        movl    %ebx, %esi
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $stack_top, %esp

        movl    $trap_stack_top, %eax
        movq    %rax, tss + 4           /* RSP0 */
        movl    $tss, %eax              /* the base goes in three pieces */
        movw    %ax, gdt_task + 2
        shrl    $16, %eax
        movb    %al, gdt_task + 4
        movb    %ah, gdt_task + 7
        movl    $TASK, %eax
        ltr     %ax
        pushq   %rdi
        pushq   %rsi

        xorl    %ebx, %ebx              /* the 32 exceptions */
3:      movl    %ebx, %eax
        shll    $4, %eax
        addl    $vectors, %eax
        movl    %ebx, %edi
        movl    $0x8E00, %edx
        call    set_gate
        incl    %ebx
        cmpl    $32, %ebx
        jb      3b
        movl    $0xEE00, %edx           /* and two for ring 3 */
        movl    $0x80, %edi
        movl    $int80, %eax
        call    set_gate
        movl    $0x81, %edi
        movl    $leave_user, %eax
        call    set_gate
        movl    $0x8E00, %edx           /* those that a workload wants */
        movl    $6, %edi
        movl    $undefined, %eax
        call    set_gate
        movl    $14, %edi
        movl    $page_fault, %eax
        call    set_gate
        lidt    idt_pointer

        movl    $0xC0000081, %ecx       /* STAR, LSTAR, SFMASK */
        xorl    %eax, %eax
        movl    $0x00200010, %edx
        wrmsr
        incl    %ecx
        movl    $syscall_entry, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0xC0000084, %ecx
        movl    $0x200, %eax
        wrmsr
        popq    %rsi
        popq    %rdi
        call    bench_main
1:      cli
        hlt
        jmp     1b

/* EAX: handler, EDI: vector, EDX: type. Destroys ECX and EDI. */
set_gate:
        shll    $4, %edi
        addl    $idt, %edi
        movzwl  %ax, %ecx
        orl     $(KERNEL_CODE64 << 16), %ecx
        movl    %ecx, (%rdi)
        movl    %eax, %ecx
        andl    $0xFFFF0000, %ecx
        orl     %edx, %ecx
        movl    %ecx, 4(%rdi)
        movl    $0, 8(%rdi)
        movl    $0, 12(%rdi)
        ret

/*
 * uint64_t run_user(uint64_t (*function)(uint8_t *), uint8_t *arena): calls
 * it in ring 3, with a fresh x87 and SSE state. FNINIT happens there as well:
 * under some hypervisors ring 0 can have no floating point.
 */
        .globl  run_user
run_user:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, kernel_rsp
        pushq   $USER_DATA
        pushq   $user_stack_top
        pushq   $(2 + IOPL3)
        pushq   $USER_CODE64
        pushq   $user_entry
        iretq
user_entry:
        fninit
        ldmxcsr mxcsr
        movq    %rdi, %rax
        movq    %rsi, %rdi
        call    *%rax
        int     $0x81

leave_user:
        movl    $KERNEL_DATA, %ecx      /* a gate from ring 3 leaves SS null */
        movl    %ecx, %ss
        movq    kernel_rsp, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

/* The two system calls: the result is the argument plus one. */
int80:
        incq    %rax
        iretq
syscall_entry:
        movq    %rsp, user_rsp
        movl    $trap_stack_top, %esp
        pushq   %rcx
        pushq   %r11
        incq    %rax
        popq    %r11
        popq    %rcx
        movq    user_rsp, %rsp
        sysretq

/* uint64_t user_syscalls(uint8_t *), user_int80s(uint8_t *): in ring 3. */
        .globl  user_syscalls
user_syscalls:
        movl    syscall_rounds, %edx
        xorl    %eax, %eax
1:      syscall
        decl    %edx
        jnz     1b
        ret

        .globl  user_int80s
user_int80s:
        movl    int80_rounds, %edx
        xorl    %eax, %eax
1:      int     $0x80
        decl    %edx
        jnz     1b
        ret

/* #UD: UD2 has two bytes. #PF: the page that the workload took away. */
undefined:
        testq   $-1, expect_ud
        jz      6f
        incq    trap_count
        addq    $2, (%rsp)
        iretq
6:      pushq   $0
        pushq   $6
        jmp     unexpected

page_fault:
        pushq   %rax
        movq    fault_entry, %rax       /* where its page-table entry is */
        testq   %rax, %rax
        jz      1f
        orq     $1, (%rax)
        incq    trap_count
        popq    %rax
        addq    $8, %rsp                /* the error code */
        iretq
1:      popq    %rax
        pushq   $14
        jmp     unexpected

/* Whatever else happens is said, not endured in silence. */
        .balign 16
vectors:
        .set    n, 0
        .rept   32
        .balign 16
        .if     !((0x60227D00 >> n) & 1)
        pushq   $0
        .endif
        pushq   $n
        jmp     unexpected
        .set    n, n + 1
        .endr
unexpected:
        popq    %rdi                    /* vector, error code, RIP, CR2 */
        popq    %rsi
        movq    (%rsp), %rdx
        movq    %cr2, %rcx
        andq    $-16, %rsp
        call    bench_panic

        .data
        .balign 8
gdt:            .quad 0
                .quad 0x00CF9A000000FFFF        /* 08: code, 32-bit */
                .quad 0x00209A0000000000        /* 10: code, 64-bit */
                .quad 0x00CF92000000FFFF        /* 18: data */
                .quad 0x00CFFA000000FFFF        /* 20: ring 3 code, 32-bit */
                .quad 0x00CFF2000000FFFF        /* 28: ring 3 data */
                .quad 0x0020FA0000000000        /* 30: ring 3 code, 64-bit */
gdt_task:       .quad 0x0000890000000067        /* 38: the TSS */
                .quad 0
gdt_end:
gdt_pointer:    .word gdt_end - gdt - 1
                .quad gdt
idt_pointer:    .word 256 * 16 - 1
                .quad idt
mxcsr:          .long 0x1F80
        .balign 8
tss:            .fill 102, 1, 0
                .word 104
        .globl  syscall_rounds, int80_rounds, trap_count, fault_entry, expect_ud
        .balign 8
syscall_rounds: .long 0
int80_rounds:   .long 0
trap_count:     .quad 0
fault_entry:    .quad 0
expect_ud:      .quad 0
kernel_rsp:     .quad 0
user_rsp:       .quad 0

        .bss
        .balign 4096
        .globl  pml4
pml4:           .skip 4096
pdpt:           .skip 4096
pd:             .skip 4 * 4096
idt:            .skip 4096
                .skip 16384
stack_top:
                .skip 4096
trap_stack_top:
                .skip 65536
user_stack_top:
