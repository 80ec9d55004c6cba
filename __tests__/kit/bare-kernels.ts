import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { miniImage } from './mini-image'
import { kitCache, madeOnce } from './once'
import { run } from './run'

/** Start of the boot partition in the mini image, in bytes. */
const bootOffset = 4 * 1024 * 1024

const files = {
  kernel: 'kernel8.img',
  initramfs: 'initramfs8',
  tree: 'bcm2837-rpi-3-b.dtb',
  hello: 'hello.cpio'
} as const

/** What /init of `hello` does. */
const helloInit = `#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
echo "hello from $(/bin/busybox uname -m)"
/bin/busybox poweroff -f
`

/**
 * Paths of Debian's arm64 kernel, its device tree for the Pi 3, and `hello`: an initramfs that greets and switches off.
 */
export async function linuxFiles(): Promise<Readonly<Record<keyof typeof files, string>>> {
  const folder = await madeOnce(join(kitCache, 'bare-linux-v1'), async unfinished => {
    const [image, tree] = [await miniImage(), join(unfinished, 'tree')]
    for (const dir of ['bin', 'dev']) await mkdir(join(tree, dir), { recursive: true })
    const wanted = [files.kernel, files.initramfs, files.tree].map(name => `::${name}`)
    const env = { MTOOLS_SKIP_CHECK: '1' }
    await run('mcopy', ['-n', '-i', `${image}@@${bootOffset}`, ...wanted, unfinished], { env })
    await run('sh', ['-c', `cpio --quiet -i bin/busybox < ../${files.initramfs}`], { cwd: tree })
    await writeFile(join(tree, 'init'), helloInit, { mode: 0o755 })
    await run('sh', ['-c', `find . | cpio --quiet -o -H newc > ../${files.hello}.part`], { cwd: tree })
    await rename(join(unfinished, `${files.hello}.part`), join(unfinished, files.hello))
    await rm(tree, { recursive: true })
  })
  const paths = Object.entries(files).map(([key, name]) => [key, join(folder, name)])
  return Object.fromEntries(paths) as Record<keyof typeof files, string>
}

/** Instructions of an arm64 program, as the Arm Architecture Reference Manual encodes them. */
const arm64 = {
  movz: (register: number, value: number, shift: 0 | 16): number =>
    0xd2800000 + (shift / 16) * 0x200000 + value * 32 + register,
  movk: (register: number, value: number, shift: 0 | 16): number =>
    0xf2800000 + (shift / 16) * 0x200000 + value * 32 + register,
  storeByte: (register: number, base: number): number => 0x39000000 + base * 32 + register,
  /** The address `words` further on. */
  address: (register: number, words: number): number => 0x10000000 + words * 32 + register,
  hvc: 0xd4000002,
  /** HLT 0xf000: a call to the debugger's host. */
  semihosting: 0xd45e0000,
  loopForEver: 0x14000000
} as const

/** PL011 of QEMU's virt machine. */
const uart = 0x0900
/** PSCI's SYSTEM_OFF (Arm DEN 0022). */
const systemOff = 0x8400_0008

/** SYS_EXIT of Arm's semihosting, whose block is a reason and a status of 8 bytes each. */
const semihostingExit = { operation: 0x18, applicationExit: 0x20026 } as const

/**
 * A program that is not Linux, for `virt`: writes a text to the UART, then switches the machine off, hangs, or ends with
 * a status by semihosting.
 */
export function bareProgram(text: string, then: 'off' | 'hang' | number): Buffer {
  const say = [...Buffer.from(text)].flatMap(byte => [arm64.movz(1, byte, 0), arm64.storeByte(1, 0)])
  const off = [arm64.movz(0, systemOff & 0xffff, 0), arm64.movk(0, systemOff >>> 16, 16), arm64.hvc]
  const exit = [arm64.movz(0, semihostingExit.operation, 0), arm64.address(1, 3), arm64.semihosting]
  const block = typeof then === 'number' ? [semihostingExit.applicationExit, 0, then, 0] : []
  const end = then === 'off' ? off : then === 'hang' ? [] : exit
  const words = [arm64.movz(0, uart, 16), ...say, ...end, arm64.loopForEver, ...block]
  const program = Buffer.alloc(words.length * 4)
  words.forEach((word, at) => program.writeUInt32LE(word, at * 4))
  return program
}
