import type { Board, BoardName } from './types'

/** Where a Pi's disk is: in the card slot, or on its USB. */
export type DiskPlace = 'sd' | 'usb'

/** What {@link diskPlace} decides on. */
export interface DiskFacts {
  readonly board: Pick<Board, 'name' | 'disk'>
  /** Version of QEMU, `7.2.22`; unknown while only planning. */
  readonly qemu: string | undefined
  readonly asked: 'auto' | DiskPlace
  /** Whether the image's kernel is certain to boot from USB, and nothing asks for the card. */
  readonly bootsFromUsb: boolean
}

interface FasterPlace {
  readonly board: BoardName
  /** First and last major version of QEMU for which it holds. */
  readonly qemu: readonly [number, number]
  readonly place: DiskPlace
  /** What was measured: Debian 12, seconds of QEMU's CPU time until SSH greets, which a busy host changes least. */
  readonly why: string
}

/** The faster place by board and QEMU, where both were measured; elsewhere the card stays in its slot. */
export const fasterPlaces: readonly FasterPlace[] = [
  {
    board: 'raspi3b',
    qemu: [7, 10],
    place: 'usb',
    why: 'QEMU 7.2: 41 s on USB, 47 s on the card; QEMU 10.0: 38 s and 41 s'
  },
  {
    board: 'raspi2b',
    qemu: [7, 7],
    place: 'usb',
    // Another measure: here the slot's interrupts come too late, behind those of the USB, and the guest waits or crashes.
    why: 'mini-armhf, until SSH answers: 24 and 29 s on USB, 43 s and a crash after 52 s on the card'
  }
]

/** Where the disk goes; undefined on a board that has neither. */
export function diskPlace({ board, qemu, asked, bootsFromUsb }: DiskFacts): DiskPlace | undefined {
  if (board.disk !== 'sd') return undefined
  if (asked !== 'auto') return asked
  const major = Number(qemu?.split('.')[0])
  const row = fasterPlaces.find(
    ({ board: name, qemu: [first, last] }) => name === board.name && major >= first && major <= last
  )
  return bootsFromUsb ? (row?.place ?? 'sd') : 'sd'
}
