// In front of QEMU's own entry: puts "-cpu" and a model behind argv[0], unless the environment has QEMU_CPU.
// The last jump and what stands behind `option` are filled in by src/usermode/preset.ts.
    ldr x1,[sp]
    mov x3,sp
    add x2,x3,x1,lsl #3
    add x2,x2,#16
    ldr x6,name
1:  ldr x4,[x2],#8
    cbz x4,2f
    ldr x5,[x4]
    cmp x5,x6
    b.ne 1b
    ldrb w5,[x4,#8]
    cmp w5,#'='
    b.ne 1b
    b 3f
2:  ldr x4,[sp,#8]
    sub sp,sp,#16
    add x1,x1,#2
    str x1,[sp]
    str x4,[sp,#8]
    adr x5,option
    str x5,[sp,#16]
    add x5,x5,#5
    str x5,[sp,#24]
3:  b .
    .align 3
name: .ascii "QEMU_CPU"
option:
