import { kernelFor, type Board } from '../boards'
import type { PreparedImage } from '../images'
import type { Inputs } from '../inputs'

export interface CpuFacts {
  readonly inputs: Inputs
  /** Undefined for a bare kernel. */
  readonly image: PreparedImage | undefined
  readonly board: Board
  /** CPUs of the host that this process may use; by default as many as are wanted. */
  readonly hostCpus?: number | undefined
  /** Version of QEMU. */
  readonly qemu?: string | undefined
  /** Whether the image's own first boot decides on the kernel's arguments. */
  readonly ownArguments: boolean
}

/** Major version of QEMU from which its raspi boards were seen to start CPUs by PSCI (7.2 and 10.0). */
const sinceQemu = 7

/**
 * How many CPUs the kernel starts, where that is fewer than the board has; the set-up starts the rest. More emulated
 * CPUs than the host's make a boot longer: each flush of a translation buffer waits for all of them. Debian 12 on
 * raspi3b and 2 CPUs of the host, seconds until SSH answers: 27.5 with one, 15.4 with two, 17.0 with three, 18.2 with four.
 */
export function cpusAtBoot({ inputs, image, board, hostCpus, qemu = '', ownArguments }: CpuFacts): number | undefined {
  if (image === undefined || board.psci === undefined || hostCpus === undefined || hostCpus >= board.cpus)
    return undefined
  if (!(Number(qemu.split('.')[0]) >= sinceQemu)) return undefined
  // Another kernel, tree or initramfs may count on how a Pi starts its CPUs.
  const own = inputs.kernel !== undefined || inputs.initrd !== undefined || inputs.dtb !== undefined
  if (own || ownArguments || inputs.boot === 'full' || inputs.provision === 'none') return undefined
  if (/\b(maxcpus|nr_cpus)=|\bnosmp\b/.test(inputs.append ?? '')) return undefined
  const kernel = kernelFor(board, image.architecture, new Set(image.bootFiles.names))
  return kernel !== undefined && image.bootFiles.hotplugKernels?.includes(kernel) === true ? hostCpus : undefined
}
