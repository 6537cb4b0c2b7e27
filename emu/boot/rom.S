# The option ROM that starts a kernel, assembled into rom.c.
#
# The BIOS finds it as "genroms/vitrineboot.bin", calls offset 3 (nothing to
# do), and boots from it by its boot entry vector (BIOS Boot Specification 1.01,
# 3.3; Plug and Play BIOS 1.0A, 3.2). It carries out the list of fw_cfg DMA
# requests that C put behind it, and enters the kernel.
#
# Registers in real mode: ds = this ROM, es = 0. Memory of its own: 0x7000 to
# 0x8FFF, where no kernel may be (multiboot.c checks; Linux starts at 0x10000).
#
# Not modelled: BIOSes without fw_cfg DMA (port 0x514).

        .set    STACK, 0x8000           # grows down
        .set    REQUEST, 0x8000         # the DMA request, 16 bytes
        .set    GDT_POINTER, 0x8010
        .set    DMA_HIGH, 0x514
        .set    DMA_LOW, 0x518
        .set    INFO_MMAP, 128          # offset in the information
        .set    MMAP_MAX, 64
        .set    MULTIBOOT, 2            # enum boot_kind
        .set    MULTIBOOT_MAGIC, 0x2BADB002
        .set    SMAP, 0x534D4150

        .pushsection .rodata.boot_rom, "a"
        .balign 16
        .code16
        .globl  boot_rom_start, boot_rom_parameters, boot_rom_end
        .hidden boot_rom_start, boot_rom_parameters, boot_rom_end
        .set    BASE, boot_rom_start

boot_rom_start:
        .byte   0x55, 0xAA
        .byte   0                       # size in 512 bytes, by C
        lret                            # initialisation: nothing
        .org    boot_rom_start + 0x06
        .byte   0                       # checksum, by C
        .org    boot_rom_start + 0x18
        .word   0                       # no PCI data structure
        .word   pnp - BASE

        .org    boot_rom_start + 0x20
pnp:
        .ascii  "$PnP"
        .byte   1                       # revision
        .byte   2                       # length in 16 bytes
        .word   0                       # no next header
        .byte   0
        .byte   0                       # checksum, by C
        .long   0                       # device identifier
        .word   manufacturer - BASE
        .word   product - BASE
        .byte   0, 0, 0                 # device type
        .byte   0                       # device indicators
        .word   0                       # no boot connection vector
        .word   0                       # no disconnect vector
        .word   boot - BASE             # boot entry vector
        .word   0
        .word   0                       # no static resources

        .org    boot_rom_start + 0x40
boot_rom_parameters:                    # rom.c fills these in
kind:   .word   0                       # enum boot_kind
steps:  .word   0                       # DMA requests from boot_rom_end on
entry:  .long   0                       # EIP, or Linux's setup segment
info:   .long   0                       # EBX, or Linux's SP

manufacturer:
        .asciz  "Vitrine"
product:
        .asciz  "kernel of the command line"
failed: .asciz  "vitrine: fw_cfg did not deliver the kernel\r\n"

        .balign 8
gdt:    .quad   0
        .quad   0x00CF9A000000FFFF      # 0x08: flat code
        .quad   0x00CF92000000FFFF      # 0x10: flat data
gdt_end:

boot:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        xorw    %ax, %ax
        movw    %ax, %es
        movw    %ax, %ss
        movl    $STACK, %esp

        movw    $(boot_rom_end - BASE), %si
        movw    (steps - BASE), %bp
next:
        testw   %bp, %bp
        jz      loaded
        decw    %bp
        # The ROM is write-protected and the device writes its answer into the
        # request, so that it goes out from RAM.
        movw    $REQUEST, %di
        movw    $4, %cx
        rep movsl
        xorl    %eax, %eax
        movw    $DMA_HIGH, %dx
        outl    %eax, %dx
        movl    $REQUEST, %eax
        bswapl  %eax
        movw    $DMA_LOW, %dx
        outl    %eax, %dx
wait:
        movl    %es:REQUEST, %eax
        testl   %eax, %eax
        jz      next
        testl   $0x01000000, %eax       # ERROR, big-endian
        jz      wait

        movw    $(failed - BASE), %si
print:
        lodsb
        testb   %al, %al
        jz      stop
        movb    $0x0E, %ah
        movw    $7, %bx
        int     $0x10
        jmp     print
stop:
        hlt
        jmp     stop

loaded:
        cmpw    $MULTIBOOT, (kind - BASE)
        je      multiboot

        # Linux: all segments at the setup code, entered 512 bytes into it.
        movl    (info - BASE), %esp
        movw    (entry - BASE), %ax
        movw    %ax, %ss
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ds
        addw    $0x20, %ax
        pushw   %ax
        pushw   $0
        lret

multiboot:
        # The memory map: INT 15h, AX=E820h, straight into the information.
        movl    (info - BASE), %eax
        shrl    $4, %eax
        movw    %ax, %es
        movw    $INFO_MMAP, %di
        movw    $MMAP_MAX, %bp
        xorl    %ebx, %ebx
memory:
        movl    $20, %es:(%di)          # size of what follows
        addw    $4, %di
        movl    $0xE820, %eax
        movl    $SMAP, %edx
        movl    $20, %ecx
        pushw   %bp
        pushw   %di
        pushw   %ds
        pushw   %es
        int     $0x15
        popw    %es
        popw    %ds
        popw    %di
        popw    %bp
        jc      memory_end
        cmpl    $SMAP, %eax
        jne     memory_end

        # Usable memory from 1 MiB on is mem_upper, in KiB.
        cmpl    $1, %es:16(%di)
        jne     memory_next
        cmpl    $0, %es:4(%di)
        jne     memory_next
        movl    %es:(%di), %eax
        cmpl    $0x100000, %eax
        ja      memory_next
        movl    %es:8(%di), %ecx
        movl    %es:12(%di), %edx
        addl    %eax, %ecx              # edx:ecx = end
        adcl    $0, %edx
        subl    $0x100000, %ecx
        sbbl    $0, %edx
        jb      memory_next             # ends below 1 MiB
        shrdl   $10, %edx, %ecx
        movl    %ecx, %es:8             # mem_upper
memory_next:
        addw    $20, %di
        decw    %bp
        jz      memory_full
        testl   %ebx, %ebx
        jnz     memory
        jmp     memory_full
memory_end:
        subw    $4, %di                 # this entry was not filled
memory_full:
        movzwl  %di, %eax
        subl    $INFO_MMAP, %eax
        movl    %eax, %es:44            # mmap_length
        int     $0x12
        movzwl  %ax, %eax
        movl    %eax, %es:4             # mem_lower

        cli
        inb     $0x92, %al              # A20, should the BIOS have left it off
        orb     $2, %al
        andb    $0xFE, %al
        outb    %al, $0x92

        movl    (info - BASE), %ebx
        movl    (entry - BASE), %esi
        xorw    %ax, %ax
        movw    %ax, %es
        xorl    %edi, %edi
        movw    %cs, %di
        shll    $4, %edi                # linear address of this ROM
        leal    (gdt - BASE)(%edi), %eax
        movw    $(gdt_end - gdt - 1), %es:GDT_POINTER
        movl    %eax, %es:GDT_POINTER + 2
        lgdtl   %es:GDT_POINTER
        movl    %cr0, %eax
        andl    $0x1FFFFFFF, %eax       # PG, CD, NW off
        orl     $1, %eax
        movl    %eax, %cr0
        leal    (protected - BASE)(%edi), %eax
        pushl   $0x08
        pushl   %eax
        lretl

        .code32
protected:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    $STACK, %esp
        pushl   $2
        popfl
        movl    %esi, %ecx
        movl    $MULTIBOOT_MAGIC, %eax
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        jmp     *%ecx

        .balign 16
boot_rom_end:
        .code64
        .popsection
