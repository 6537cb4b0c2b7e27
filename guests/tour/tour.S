/*
 * A tour of a PC: from the boot sector to ring 3 and back, 17 stations.
 *
 * This file makes a bootable image: the BIOS reads its first 512 bytes to
 * 0000:7C00 and jumps there; those read the rest and walk on. Every station
 * prints what it does, on COM1 and on the screen, and checks what it claims:
 *
 *    1 real mode             7 compatibility mode    13 a system call, INT 80
 *    2 the BIOS              8 64-bit mode           14 the same, SYSCALL
 *    3 the A20 gate          9 exceptions            15 a tick in ring 3
 *    4 protected mode       10 PIC and PIT           16 a page fault, repaired
 *    5 descriptors          11 ring 3                17 ports and the screen
 *    6 paging               12 what ring 3 may not
 *
 * How to read it: this file, then real.inc, protected.inc, long.inc, traps.inc
 * and ring3.inc. Each station is some 20 to 40 lines. The printing (SAY, HEX,
 * DEC) is in console.inc and can be skipped. EXPECT compares and lets the
 * station fail if the two differ.
 *
 * Manual: SDM 3 chapter 2 (registers), 3 (segments), 4 (paging), 5.8 (system
 * calls), 6 (interrupts), 9.9 (changing modes); data sheets of 8259A, 8254 and
 * 16550.
 *
 * Not modelled: more than one CPU, the APIC, a file system; the CPU must have
 * long mode (else the tour ends at station 7 and says so).
 *
 * Who is where in memory (below 1 MiB, everything at its own address):
 *
 *    01000  IDT, 64-bit          10000  page directory, 32-bit paging
 *    02000  TSS                  11000    its page table, 0 to 4 MiB
 *    02100  IDT, 32-bit          12000    its page table, 4 to 8 MiB
 *    07000  stack for traps      13000  PML4, 14000 PDPT, 15000 PD
 *           that leave ring 3    16000    page table, 0 to 2 MiB, kernel
 *    07C00  our stack's top,     17000    page table, 4 to 6 MiB, user
 *           and this image       20000  a page to be seen at two addresses
 *    B8000  the screen           30000  user code, 31000 user stack,
 *                                32000  tick counter, 33000 page on demand
 */

        .set    COM1, 0x3F8
        .set    SECTORS, 24             /* the size of this image */
        .set    STATIONS, 17

        /* selectors: 8 times the place in the GDT, and the ring in bits 1:0 */
        .set    KERNEL_CODE32, 0x08
        .set    KERNEL_CODE64, 0x10
        .set    KERNEL_DATA, 0x18
        .set    USER_DATA, 0x28 + 3
        .set    USER_CODE64, 0x30 + 3
        .set    SCREEN, 0x38
        .set    SMALL, 0x40
        .set    TASK, 0x48

        .set    IDT64, 0x1000
        .set    TSS, 0x2000
        .set    IDT32, 0x2100
        .set    RSP0, 0x7000
        .set    STACK, 0x7C00
        .set    PD32, 0x10000
        .set    PT32, 0x11000
        .set    PT32_ALIAS, 0x12000
        .set    PML4, 0x13000
        .set    PDPT, 0x14000
        .set    PD64, 0x15000
        .set    PT_KERNEL, 0x16000
        .set    PT_USER, 0x17000
        .set    ALIAS_PAGE, 0x20000
        .set    USER_CODE_PAGE, 0x30000
        .set    USER_STACK_PAGE, 0x31000
        .set    TICK_PAGE, 0x32000
        .set    DEMAND_PAGE, 0x33000

        .set    USER_VA, 0x400000       /* and where ring 3 sees those */
        .set    USER_STACK_VA, 0x401000
        .set    TICK_VA, 0x402000
        .set    DEMAND_VA, 0x500000
        .set    ticks, TICK_PAGE
        .set    DEMAND_PTE, PT_USER + 256 * 8   /* of DEMAND_VA */
        .set    DEMAND_DATA, DEMAND_PAGE + 0x10 /* what it writes to */

        .set    CR0_PE, 1 << 0          /* protection enable */
        .set    CR0_WP, 1 << 16         /* the kernel obeys read-only too */
        .set    CR0_PG, 1 << 31         /* paging */
        .set    CR4_PAE, 1 << 5         /* page-table entries of 8 bytes */
        .set    MSR_EFER, 0xC0000080
        .set    MSR_STAR, 0xC0000081    /* selectors for SYSCALL, SYSRET */
        .set    MSR_LSTAR, 0xC0000082   /* where SYSCALL goes */
        .set    MSR_SFMASK, 0xC0000084  /* flags that SYSCALL clears */
        .set    EFER_SCE, 1 << 0        /* SYSCALL exists */
        .set    EFER_LME, 1 << 8        /* long mode wanted */
        .set    EFER_LMA, 1 << 10       /* long mode active */
        .set    RFLAGS_IF, 1 << 9

        .set    PTE_P, 1                /* present */
        .set    PTE_W, 2                /* may be written */
        .set    PTE_U, 4                /* ring 3 may */
        .set    PTE_A, 0x20             /* the CPU has used it */
        .set    PTE_D, 0x40             /* the CPU has written through it */

        .set    SYS_WRITE, 1            /* EAX of our two system calls */
        .set    SYS_EXIT, 2

/* EXPECT source, destination: as CMP has them; different means FAIL. */
.macro EXPECT source, destination
        cmpl    \source, \destination
        je      9f
        movb    $0, verdict
9:
.endm

.macro EXPECTQ source, destination
        cmpq    \source, \destination
        je      9f
        movb    $0, verdict
9:
.endm

/* Any bit of mask set in the operand is what we want. */
.macro EXPECT_SET mask, operand
        testl   \mask, \operand
        jnz     9f
        movb    $0, verdict
9:
.endm

/* ------------------------------------------------------------------------
 * The boot sector. DL is the drive that the BIOS booted from. Nothing else is
 * certain: some BIOSes come here with CS:IP = 07C0:0000, so set everything.
 */
        .text   0
        .code16
        .globl  _start
_start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $STACK, %sp
        ljmp    $0, $boot
boot:
        sti                             /* the BIOS waits for its interrupts */
        cld
        movb    %dl, drive
        movw    $3, %ax                 /* INT 10h, 00: text, 80 by 25 */
        int     $0x10

        /*
         * INT 13h counts in cylinders, heads and sectors. Ask how many of each
         * the drive has (08): a floppy and a hard disk differ.
         */
        movb    $8, %ah
        movb    drive, %dl
        xorw    %di, %di
        int     $0x13
        movw    $0, %ax                 /* ES:DI was the drive table, DS: be */
        movw    %ax, %ds                /* careful (MOV leaves the flags) */
        movw    %ax, %es
        jc      disk_error
        andw    $0x3F, %cx              /* bits 7:6 belong to the cylinder */
        jz      disk_error
        movw    %cx, sectors_per_track
        movzbw  %dh, %ax
        incw    %ax                     /* DH is the last head's number */
        movw    %ax, heads

        movw    $1, %si                 /* SI: the sector, counted from 0 */
        movw    $0x7E00, %bx            /* ES:BX: where it goes */
next_sector:
        movw    $3, %di                 /* a floppy motor may need a retry */
try_sector:
        movw    %si, %ax
        xorw    %dx, %dx
        divw    sectors_per_track
        movw    %dx, %cx
        incw    %cx                     /* CL: sectors are counted from 1 */
        xorw    %dx, %dx
        divw    heads
        movb    %al, %ch                /* CH: cylinder */
        movb    %dl, %dh                /* DH: head */
        movb    drive, %dl
        movw    $0x0201, %ax            /* 02: read, one sector */
        int     $0x13
        jnc     1f
        xorw    %ax, %ax                /* 00: reset the controller */
        movb    drive, %dl
        int     $0x13
        decw    %di
        jnz     try_sector
        jmp     disk_error
1:      addw    $512, %bx
        incw    %si
        cmpw    $SECTORS, %si
        jb      next_sector
        jmp     real_mode

disk_error:
        movw    $disk_message, %si
1:      lodsb
        testb   %al, %al
        jz      2f
        movb    $0x0E, %ah              /* INT 10h, 0E: a character */
        movw    $7, %bx
        int     $0x10
        jmp     1b
2:      hlt
        jmp     2b

disk_message:           .asciz "tour: the disk cannot be read\r\n"
drive:                  .byte 0
sectors_per_track:      .word 0
heads:                  .word 0

        .org    510                     /* the BIOS looks for this mark */
        .word   0xAA55

/* ------------------------------------------------------------------------
 * What the stations share.
 */
column:         .long 0                 /* of console.inc */
stations:       .long 0
passed:         .long 0
verdict:        .byte 0
        .balign 8
resume:         .long 0                 /* where to go on after an exception */
trap_count:     .long 0
trap_vector:    .quad 0                 /* what the last exception was */
trap_error:     .quad 0
trap_rip:       .quad 0
trap_cs:        .quad 0
trap_cr2:       .quad 0
irq_cs:         .quad 0                 /* whom the last tick interrupted */
withhold:       .long 0                 /* the tick that gets no EOI */
service_flags:  .long 0                 /* RFLAGS inside a system call */
kernel_rsp:     .quad 0
user_rsp:       .quad 0

/*
 * The global descriptor table. A descriptor, as the 386 left it:
 *
 *   63      56 55 54 53 52 51  48 47 46 45 44 43  40 39          16 15    0
 *  | base 31:24|G |DB|L |  | lim |P | DPL |S | type |  base 23:0   | limit |
 *
 * G: the limit counts pages. DB: 32-bit. L: 64-bit. P: present. DPL: its ring.
 * SYSCALL and SYSRET do not look here but take it for granted that data comes
 * after code, and for SYSRET that the order is code32, data, code64.
 */
        .balign 8
gdt:            .quad 0                         /* 00: none, by rule */
                .quad 0x00CF9A000000FFFF        /* 08: code, 32-bit, 4 GiB */
                .quad 0x00209A0000000000        /* 10: code, 64-bit */
                .quad 0x00CF92000000FFFF        /* 18: data, 4 GiB */
                .quad 0x00CFFA000000FFFF        /* 20: ring 3 code, 32-bit */
                .quad 0x00CFF2000000FFFF        /* 28: ring 3 data */
                .quad 0x0020FA0000000000        /* 30: ring 3 code, 64-bit */
                .quad 0x0040F20B80007FFF        /* 38: the screen, 32 KiB;
                                    DPL 3, or IRETQ to ring 3 would clear GS */
                .quad 0x004092020000000F        /* 40: 16 bytes at 20000 */
                .quad 0x0000890020000067        /* 48: the TSS at 2000, and */
                .quad 0                         /*     its base's upper half */
gdt_end:
gdt_pointer:    .word gdt_end - gdt - 1
                .long gdt
idt32_pointer:  .word 32 * 8 - 1
                .long IDT32
idt64_pointer:  .word 256 * 16 - 1
                .quad IDT64
gdt_limit:      .word 0                         /* SGDT: both together */
gdt_base:       .quad 0

/* ------------------------------------------------------------------------
 * The stations, a file for each mode, and what they need.
 */
#include "real.inc"             /* 1 to 3, and the jump to protected mode */
#include "protected.inc"        /* 4 to 7, and the jump to long mode */
#include "long.inc"             /* 8 to 17 */
#include "traps.inc"            /* gates, exceptions, the tick, PIC, UART */
#include "ring3.inc"            /* system calls, and the program in ring 3 */

/* The last sector's last bytes: if they are there, all of it is. */
        .text   2
        .org    SECTORS * 512 - 4
end_mark:
        .long   0x454E4421
