import type { Symptom } from './types'

const fullDisk = {
  symptom: 'QEMU has no room on the disk of the host',
  cause: 'the disk is full',
  remedy: 'free some space, or point PI_QEMU_HOME at a larger disk'
}

/** What QEMU says when it does not start. Most telling first. */
export const qemuSymptoms: readonly Symptom[] = [
  {
    id: 'port-taken',
    shows: '`Could not set up host forwarding rule`',
    pattern: /Could not set up host forwarding rule '([^']*)'/,
    symptom: 'QEMU cannot have a port of the host',
    cause: 'a host port in `ports`, or `ssh-port`, is taken by another program, or needs root (below 1024)',
    remedy: 'choose another host port'
  },
  {
    id: 'gdb-port-taken',
    shows: '`-gdb tcp:… Failed to find an available port`',
    pattern: /-gdb \S+: .*(?:Failed to find an available port|Address already in use|Permission denied)/,
    symptom: 'QEMU cannot have the port for gdb',
    cause: 'the port in `gdb` is taken by another program, or needs root (below 1024)',
    remedy: 'choose another port'
  },
  {
    id: 'vnc-port-taken',
    shows: '`-vnc 127.0.0.1:… Failed to find an available port`',
    pattern: /-vnc \S+: .*(?:Failed to find an available port|Address already in use)/,
    symptom: 'QEMU cannot have the port for VNC',
    cause: 'the port in `vnc` is taken by another program',
    remedy: 'choose another port'
  },
  {
    id: 'disk-in-use',
    shows: '`Failed to get "write" lock`',
    pattern: /Failed to get (?:shared )?"[\w ]+" lock/,
    symptom: 'QEMU cannot have a disk for itself',
    cause: 'a file in `disks` is in use by another program, maybe another run',
    remedy: 'wait until it has ended, or give each run a disk of its own'
  },
  {
    id: 'wrong-format',
    shows: '`Image is not in qcow2 format`',
    pattern: /Image is not in qcow2 format/,
    symptom: 'QEMU cannot read a disk',
    cause: 'a file in `disks` is of another format than it is said to be',
    remedy: 'write `file:raw` or `file:qcow2`'
  },
  {
    id: 'card-size',
    shows: '`SD card size has to be a power of 2`',
    pattern: /Invalid SD card size|SD card size has to be a power of 2/,
    symptom: 'QEMU refuses a card of this size',
    cause:
      'the card slot takes sizes that are a power of two; `image` is rounded up by itself, a card in `qemu-args` is not',
    remedy: 'grow the file (`qemu-img resize -f raw FILE 4G`), or attach it with `disks`'
  },
  {
    id: 'memory-size',
    shows: '`Invalid RAM size, should be …`',
    pattern: /Invalid RAM size/,
    symptom: 'QEMU refuses this much memory',
    cause: 'the board has a fixed size of memory, and `qemu-args` asks for another',
    remedy: 'leave `-m` out of `qemu-args`; `memory` goes with `board: virt`'
  },
  {
    id: 'old-qemu',
    shows: '`unsupported machine type`',
    pattern: /unsupported machine type/,
    symptom: 'QEMU does not know the board',
    cause: 'this QEMU is too old for the board: `raspi4b` needs 9.0',
    remedy: 'use `qemu: auto` or `qemu: private`, or choose another board'
  },
  {
    id: 'unknown-argument',
    shows: '`invalid option`, `Invalid parameter`',
    pattern: /invalid option|Invalid parameter|unknown option/i,
    symptom: 'QEMU does not know an argument',
    cause: 'a word in `qemu-args` is not one of QEMU, or of another version of it',
    remedy: 'check `qemu-args`'
  },
  {
    id: 'host-memory',
    shows: '`Cannot allocate memory`',
    pattern: /Cannot allocate memory|cannot set up guest memory/i,
    symptom: 'QEMU does not get the memory of the guest',
    cause: 'the host has too little memory',
    remedy: 'lower `memory`'
  },
  {
    id: 'qemu-disk-full',
    shows: '`No space left on device`',
    pattern: /No space left on device/,
    ...fullDisk
  }
]
