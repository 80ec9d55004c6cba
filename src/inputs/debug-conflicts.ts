import type { Inputs } from './index'

/** Inputs for debugging that were given, by name: all of them need an emulated machine. */
export function givenForDebugging({ debugging }: Inputs): readonly (readonly [input: string, given: boolean])[] {
  return [
    ['debug-on-failure', debugging.onFailure !== undefined],
    ['gdb', debugging.gdb !== undefined],
    ['monitor', debugging.monitor],
    ['serial', debugging.serial === 'socket'],
    ['vnc', debugging.vnc !== undefined]
  ]
}

/** Faults of the inputs for debugging, in `mode: system`. */
export function debugConflicts(inputs: Inputs): readonly string[] {
  const { debugging, image, firstBoot } = inputs
  const { gdb, onFailure } = debugging
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [
      onFailure !== undefined && image.kind === 'none',
      'input `debug-on-failure` needs an image; a bare kernel is looked at while it runs, with `gdb`, `monitor`, `serial: socket` or `vnc`'
    ],
    [
      gdb?.waits === true && firstBoot === 'run',
      'inputs `gdb` with `wait` and `first-boot: run` do not go together: QEMU is started anew for each reboot, and each would wait'
    ],
    ...portsTwice(inputs).map(fault => [true, fault] as const)
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}

/** Host ports that two inputs want. */
function portsTwice({ debugging: { gdb, vnc }, ports }: Inputs): readonly string[] {
  const wanted: readonly (readonly [input: string, port: number | undefined])[] = [
    ['gdb', gdb?.port],
    ['vnc', vnc],
    ...ports.flatMap(({ protocol, host }) => (protocol === 'tcp' ? [['ports', host] as const] : []))
  ]
  return wanted.flatMap(([input, port], at) => {
    const first = wanted.findIndex(([, other]) => port !== undefined && other === port)
    return first >= 0 && first < at
      ? [`inputs \`${wanted[first]?.[0] ?? ''}\` and \`${input}\` name the same port, ${port ?? ''}`]
      : []
  })
}
