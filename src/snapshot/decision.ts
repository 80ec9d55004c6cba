import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { Inputs } from '../inputs'
import { ownNetwork, qemuArguments, type Machine } from '../qemu'

/** Raise when what a snapshot holds, or how it is continued, changes. */
const snapshotVersion = 5

type Wishes = Pick<
  Inputs,
  | 'snapshot'
  | 'cache'
  | 'provision'
  | 'firstBoot'
  | 'firmware'
  | 'password'
  | 'files'
  | 'disks'
  | 'qemuArgs'
  | 'network'
  | 'kernel'
  | 'initrd'
  | 'sync'
  | 'debugging'
>

/** Why a run neither uses nor makes a booted snapshot, in words for the log; undefined if it does. */
export function whyNoSnapshot(inputs: Wishes, { board, accelerator, clock }: Machine): string | undefined {
  const rows: readonly (readonly [matters: boolean, why: string])[] = [
    [inputs.snapshot === 'off', 'snapshot: off'],
    [!board.migratable, `the devices of board ${board.name} cannot be saved`],
    [inputs.cache === 'off', 'cache: off'],
    [inputs.provision === 'none', 'provision: none, so the guest has nobody to take the keys of a run'],
    [inputs.firstBoot === 'run', 'first-boot: run is to happen in each run'],
    [inputs.firmware !== undefined, 'firmware: uefi starts the kernel with its own arguments'],
    [inputs.password !== undefined, 'a password is of one run only'],
    [inputs.files.length > 0, 'files are of one run only'],
    [inputs.disks.length > 0, 'disks are of one run only'],
    [inputs.qemuArgs.length > 0, 'qemu-args may change the machine'],
    [inputs.network === 'tap', 'network: tap gives the guest an address of one run only'],
    [inputs.kernel !== undefined || inputs.initrd !== undefined, 'kernel or initrd may change under the same name'],
    [inputs.debugging.gdb !== undefined, 'gdb may want to see the boot'],
    [inputs.debugging.vnc !== undefined, 'vnc gives the machine a display'],
    [inputs.sync === 'live', 'sync: live shares a folder of one run'],
    [accelerator === 'kvm', "KVM: the memory would be of this host's CPU"],
    [clock === 'icount', 'clock: icount']
  ]
  return rows.find(([matters]) => matters)?.[1]
}

/**
 * Names all that a snapshot depends on: the very bytes of the prepared image and of a kernel that is not its own, QEMU,
 * and the machine as its command line says it, without what differs between runs (paths, forwarded ports, the time).
 * @param imageId of the prepared image
 * @param kernelId of the generic kernel, if it is that
 */
export function snapshotKey(imageId: string, qemuVersion: string, machine: Machine, kernelId = ''): string {
  const shape = qemuArguments({
    ...machine,
    kernel: machine.kernel && basename(machine.kernel),
    initrd: machine.initrd && basename(machine.initrd),
    kernelArguments: machine.kernelArguments.filter(word => !word.startsWith('systemd.clock_usec=')),
    volumes: machine.volumes.map(volume => ({ ...volume, file: basename(volume.file) })),
    forwards: [],
    network: ownNetwork,
    access: undefined,
    logs: ''
  })
  return createHash('sha256')
    .update(JSON.stringify([snapshotVersion, imageId, qemuVersion, kernelId, shape]))
    .digest('hex')
    .slice(0, 24)
}
