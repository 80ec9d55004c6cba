/**
 * Instructions of small programs that end with status 42, by platform, as words in its order. Those of scripts/assembly
 * fork, and the child executes the same file once more: that, too, has to work. The others only end.
 */
export const testPrograms = {
  // scripts/assembly/fork-aarch64.s
  aarch64: [
    ...[0xf94003e9, 0xf100093f, 0x540003ea, 0xd2800220, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, 0xd2801b88],
    ...[0xd4000001, 0xb4000180, 0x92800000, 0xd10043ff, 0x910003e1, 0xd2800002, 0xd2800003, 0xd2802088, 0xd4000001],
    ...[0xb94003e0, 0x53087c00, 0xd2800ba8, 0xd4000001, 0xf94007e0, 0xd10083ff, 0xa90003e0, 0xa9017fff, 0x910003e1],
    ...[0xd2800002, 0xd2801ba8, 0xd4000001, 0xd2800020, 0xd2800ba8, 0xd4000001, 0xd2800540, 0xd2800ba8, 0xd4000001]
  ],
  // scripts/assembly/fork-arm.s
  arm: [
    ...[0xe59d9000, 0xe3590002, 0xaa00001a, 0xe3a07002, 0xef000000, 0xe3500000, 0x0a00000a, 0xe3e00000, 0xe24dd008],
    ...[0xe1a0100d, 0xe3a02000, 0xe3a03000, 0xe3a07072, 0xef000000, 0xe59d0000, 0xe1a00420, 0xe3a07001, 0xef000000],
    ...[0xe59d0004, 0xe24dd010, 0xe3a02000, 0xe58d0000, 0xe58d0004, 0xe58d2008, 0xe1a0100d, 0xe3a0700b, 0xef000000],
    ...[0xe3a00001, 0xe3a07001, 0xef000000, 0xe3a0002a, 0xe3a07001, 0xef000000]
  ],
  riscv64: [0x02a00513, 0x05d00893, 0x00000073], // li a0, 42; li a7, 93; ecall
  ppc64le: [0x3860002a, 0x38000001, 0x44000002], // li r3, 42; li r0, 1; sc
  s390x: [0xa729002a, 0x0a010000], // lghi %r2, 42; svc 1
  mips64el: [0x2404002a, 0x240213c2, 0x0000000c], // li a0, 42; li v0, 5058; syscall
  loongarch64: [0x0280a804, 0x0381740b, 0x002b0000], // li.w a0, 42; li.w a7, 93; syscall 0
  // mov $42, %edi; mov $60, %eax; syscall
  x86_64: [0x00002abf, 0x003cb800, 0x050f0000],
  // mov $42, %ebx; mov $1, %eax; int $0x80
  i386: [0x00002abb, 0x0001b800, 0x80cd0000]
} as const satisfies Readonly<Record<string, readonly number[]>>
