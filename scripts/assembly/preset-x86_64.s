// In front of QEMU's own entry: puts "-cpu" and a model behind argv[0], unless the environment has QEMU_CPU.
// The last jump and what stands behind `option` are filled in by src/usermode/preset.ts.
.intel_syntax noprefix
    mov rcx,[rsp]
    lea rdi,[rsp+rcx*8+16]
1:  mov rax,[rdi]
    test rax,rax
    jz 2f
    add rdi,8
    cmp dword ptr [rax],0x554d4551
    jne 1b
    cmp dword ptr [rax+4],0x5550435f
    jne 1b
    cmp byte ptr [rax+8],0x3d
    jne 1b
    jmp 3f
2:  mov rax,[rsp+8]
    sub rsp,16
    add rcx,2
    mov [rsp],rcx
    mov [rsp+8],rax
    lea rax,[rip+option]
    mov [rsp+16],rax
    add rax,5
    mov [rsp+24],rax
3:  .byte 0xe9
    .long 0
option:
