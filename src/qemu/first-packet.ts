import { statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { packetFilter } from './argv'
import type { Qmp } from './qmp'

/** Bytes at the start of a pcap file, before the first packet (pcap-savefile(5)). */
const pcapHeader = 24

/**
 * Tells whether the guest is on the network. QEMU accepts connections to a guest that is not, and passes all of them on
 * later, when its SSH server then has a process to start for each. QEMU records packets until there is one.
 */
export class FirstPacket {
  private seen = false

  constructor(
    private readonly file: string,
    private readonly qmp: Pick<Qmp, 'execute'>
  ) {}

  /** Whether the guest has sent anything; with the first yes the recording ends, and is removed. */
  async hasBeenSent(): Promise<boolean> {
    if (this.seen) return true
    if ((statSync(this.file, { throwIfNoEntry: false })?.size ?? 0) <= pcapHeader) return false
    this.seen = true
    await this.qmp.execute('object-del', { id: packetFilter }).catch(() => undefined)
    await rm(this.file, { force: true })
    return true
  }
}
