/*
 * A boot sector that writes to the disk it came from until somebody stops the
 * machine: for test_disk.py. Round R fills sectors 1 to 1024, BATCH at a time
 * through INT 13h, each with the double word R << 16 | sector. After each
 * round it says "." on COM1.
 */
        .code16
        .globl _start
        .set    BATCH, 64
        .set    LAST, 1024
        .set    BUFFER, 0x1000          /* segment */

_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7C00, %sp
        sti
        cld
        movb    %dl, drive

round:  incw    generation
        movl    $1, lba
batch:  /* Fill the buffer. */
        movw    $BUFFER, %ax
        movw    %ax, %es
        xorw    %di, %di
        movw    generation, %ax
        shll    $16, %eax
        movw    lba, %ax
        movw    $BATCH, %bx
1:      movw    $128, %cx
        rep stosl
        incw    %ax
        decw    %bx
        jnz     1b

        movw    $packet, %si
        movw    $0x4300, %ax            /* extended write, no verify */
        movb    drive, %dl
        int     $0x13
        jc      failed
        addl    $BATCH, lba
        cmpl    $LAST, lba
        jbe     batch
        movb    $'.', %al
        call    put
        jmp     round

failed: movb    $'E', %al
        call    put
        cli
        hlt

put:    movb    %al, %ah
        movw    $0x3FD, %dx
1:      inb     %dx, %al
        testb   $0x20, %al
        jz      1b
        movb    %ah, %al
        movw    $0x3F8, %dx
        outb    %al, %dx
        ret

drive:  .byte   0
generation:
        .word   0
        .balign 4
packet: .byte   16, 0
        .word   BATCH
        .word   0, BUFFER
lba:    .long   0, 0

        .org    510
        .word   0xAA55
