import type { CacheLevel } from '../cache/hits'
import type { Inputs } from '../inputs'

/** What was emulated, as far as a run got to know. */
export interface RunFacts {
  /** What the image calls itself. */
  readonly image?: string | undefined
  /** Title of the board. */
  readonly board?: string | undefined
  readonly cpus?: number | undefined
  readonly memoryMiB?: number | undefined
  readonly accelerator?: 'tcg' | 'kvm' | undefined
  /** Release of the kernel that the script saw. */
  readonly kernel?: string | undefined
  /** What is not as on the real board. */
  readonly fidelity?: readonly string[] | undefined
}

type Asked = Pick<Inputs, 'mode' | 'boot' | 'provision' | 'firmware' | 'image'> &
  Partial<Pick<Inputs, 'container' | 'build'>>

/** What made a run faster than the real thing is, and what that means: each of it can be switched off. */
export function shortcuts(inputs: Asked, level: CacheLevel, { accelerator }: RunFacts): readonly string[] {
  const { mode, boot, provision, image } = inputs
  if (mode === 'user') return ['user mode, which does not boot; `mode: system` boots the image']
  const rows: readonly (readonly [applies: boolean, words: string])[] = [
    [level === 'snapshot', 'a Pi that was booted before went on from its saved memory; `snapshot: off` boots it anew'],
    [level === 'prepared' || level === 'snapshot', 'the image was prepared before; `cache: off` prepares it anew'],
    [level === 'image', 'the image was prepared before, but for `prepare`; `cache: off` prepares it anew'],
    [
      boot === 'fast' && provision === 'auto' && image.kind !== 'none' && image.kind !== 'mini',
      'units that are of no use in an emulator were left out; `boot: full` starts them'
    ],
    [accelerator === 'kvm', "KVM: the guest ran on the host's own CPU, and not on a Pi's"]
  ]
  return rows.filter(([applies]) => applies).map(([, words]) => words)
}
