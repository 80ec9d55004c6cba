import { createHash } from 'node:crypto'
import type { BoardName } from '../boards'
import { boards } from '../boards'
import { provisionVersion } from './provision'

/** Raise when the shape of meta.json changes. */
const metaVersion = 7

/** Raise when what is taken out of an image after `prepare` changes. */
const prepareVersion = 1

/** All that a provisioned image depends on. */
export interface BaseIngredients {
  /** SHA-256 of the image file as it was published. */
  readonly sha256: string
  readonly provision: 'auto' | 'none'
  readonly user: string | undefined
  readonly hostname: string | undefined
  readonly firstBoot: 'skip' | 'run' | undefined
  /** Bytes. */
  readonly diskSize: number | undefined
  readonly firmware: 'uefi' | undefined
  readonly boot?: 'fast' | 'full' | undefined
  /** The user's own word for a new start. */
  readonly suffix: string | undefined
}

/** What `prepare` adds to it. */
export interface PrepareIngredients {
  /** {@link baseKey} of the image that it starts from. */
  readonly base: string
  /** Every byte of it counts. */
  readonly script: string
  readonly family: BoardFamily
  /** What else is given to the machine on which it runs: kernel arguments, and hashes of files. */
  readonly machine: readonly string[]
}

/** Boards on which the same script leaves the same behind. */
export type BoardFamily = 'raspi' | 'virt' | 'versatilepb' | 'default' | 'user mode'

/** The family of a board; `default` where the image decides on the board. */
export function familyOfBoard(name: BoardName | undefined): BoardFamily {
  if (name === undefined) return 'default'
  const { kernelFromUser, needsGenericKernel } = boards[name]
  return kernelFromUser ? 'versatilepb' : needsGenericKernel ? 'virt' : 'raspi'
}

/** Names the image as provisioning leaves it. */
export function baseKey(from: BaseIngredients): string {
  return digest([
    ...[metaVersion, from.sha256, provisionVersion, from.provision, from.user ?? '', from.hostname ?? ''],
    ...[from.firstBoot ?? 'skip', from.diskSize ?? 0, from.firmware ?? '', from.suffix ?? ''],
    from.boot ?? 'fast'
  ])
}

/** Names the image as `prepare` leaves it. The suffix is in it by the key of its base. */
export function preparedKey({ base, script, family, machine }: PrepareIngredients): string {
  return digest(['prepare', prepareVersion, base, script, family, machine])
}

/** Names what is made from an image, such as its booted snapshot. */
export function keyFrom(image: string, ...ingredients: readonly string[]): string {
  return digest(['from', image, ...ingredients])
}

function digest(ingredients: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(ingredients)).digest('hex').slice(0, 24)
}
