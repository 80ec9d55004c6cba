import type { Symptom } from './types'

/** What programs of a foreign architecture show when they run on a CPU, or a kernel, that is not theirs. */
export const emulationSymptoms: readonly Symptom[] = [
  {
    id: 'illegal-instruction',
    shows: '`Illegal instruction`, `uncaught target signal 4`',
    pattern: /\bIllegal instruction|uncaught target signal 4\b|\bSIGILL\b/,
    symptom: 'a program used an instruction that the emulated CPU does not have',
    cause:
      'it is built for a newer CPU than the board has: ARMv7 or NEON on a Pi Zero, atomics or AES on a Pi 3, as wheels and prebuilt binaries often are',
    remedy:
      'build it for the board (`-march=armv6`, `-mcpu=cortex-a53`); `pi-qemu exec` names the instruction and where it is'
  },
  {
    id: 'qemu-user-crash',
    shows: '`qemu: uncaught target signal 11 (Segmentation fault)`',
    pattern: /uncaught target signal (?:6|7|11) \(/,
    symptom: 'a program crashed under the emulator for single programs',
    cause:
      'a bug of the program; or kernel, libc and QEMU do not go together (static programs and the place of the heap, say)',
    remedy: 'try `qemu: private`, which brings another QEMU, or `mode: system`, where the whole machine is emulated'
  },
  {
    id: 'readdir-overflow',
    shows: '`Value too large for defined data type`',
    pattern: /Value too large for defined data type|\bEOVERFLOW\b/,
    symptom: 'a 32-bit program cannot read a folder or a file',
    cause: 'it has no large file support, and the 64-bit kernel of the host answers with numbers that it cannot hold',
    remedy: 'build it with `-D_FILE_OFFSET_BITS=64`; or use `mode: system`, or the arm64 image'
  },
  {
    id: 'exec-format',
    shows: '`Exec format error`, `cannot execute binary file`',
    pattern: /[Ee]xec format error|cannot execute binary file|\x7fELF.*not found/,
    symptom: 'a program is for another architecture',
    cause: "it is built for the host's, or for a 64-bit system while the image is 32-bit",
    remedy: 'build it for the image (`file PROGRAM` says what it is for); in a container, check `--platform`'
  },
  {
    id: 'loader-missing',
    shows: "`Could not open '/lib/ld-linux-…'`",
    pattern: /[Cc]ould not open '\/lib\S*\/ld-|cannot execute: required file not found/,
    symptom: 'the dynamic loader of a program is missing',
    cause:
      'its libraries are not there: it is cross-built and needs a sysroot, or is of the other 32-bit kind (armel, armhf)',
    remedy: 'use `sysroot`, link it statically, or install its libraries'
  },
  {
    id: 'cpu-model',
    shows: '`unable to find CPU model`',
    pattern: /unable to find CPU model/,
    symptom: 'the emulator does not know the CPU it is asked for',
    cause: 'QEMU_CPU is set for all programs, and 32-bit ones have other models than 64-bit ones',
    remedy: 'use `qemu-cpu` with one line for each platform, and leave QEMU_CPU alone'
  },
  {
    id: 'unsupported-syscall',
    shows: '`qemu: Unsupported syscall`',
    pattern: /Unsupported syscall: -?\d+|Unknown host signal|Unsupported ancillary data/,
    symptom: 'a program asked the kernel for something that the emulator does not pass on',
    cause: 'the emulator for single programs knows many system calls, and not all',
    remedy: 'try `qemu: private`, which is newer than most, or `mode: system`'
  }
]
