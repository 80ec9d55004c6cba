import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { boards } from '../../../src/boards'

/** Writes a file that can be run. */
export function script(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

/**
 * The part of a shell script that answers `--version` and `-machine help` as QEMU does, wherever among its arguments.
 * @param title what follows “QEMU emulator version”
 */
export function answers(
  title: string,
  machines: readonly string[] = Object.values(boards).map(row => row.machine)
): string {
  const help = machines.map(name => `${name}             A machine`).join('\n')
  return `case " $* " in
*" --version "*) printf '%s\\n' 'QEMU emulator version ${title}' ;;
*" -machine help "*) cat <<'HELP'
Supported machines are:
${help}
HELP
;;
*) exit 1 ;;
esac`
}
