import { definitions, listInputs } from '../inputs'

export const commandSummaries = {
  run: 'boot a Pi, run a script in it, tear it down; exit with the script’s status',
  shell: 'boot a Pi and open a shell in it; torn down on exit',
  boot: 'boot a Pi that stays until it switches itself off, or Ctrl-C; says how to reach it',
  console: 'boot a Pi with this terminal as its serial console; Ctrl-] leaves it and ends the Pi',
  demo: 'boot the built-in image on a raspi3b and show what it is',
  images: 'list the images known by name, and what is prepared; --check tells which newer releases exist',
  cache: 'list what is cached on this machine; --remove drops entries, --prune what is above a size',
  binfmt: 'run programs of other platforms on this host: status, install, restore',
  exec: 'run a cross-built program in the emulator of a Pi’s CPU, with a folder’s libraries; exit with its status',
  boards: 'list the boards',
  doctor: 'check what this host has and lacks; --install adds what is missing',
  pi: 'work in a Pi that was left up by --keep-running; `pi-qemu pi help` says more',
  stop: 'switch off Pis that were left up by --keep-running',
  clean: 'tear down what a dead run left behind; --cache drops prepared images and the private QEMU, too'
} as const

export type CommandName = keyof typeof commandSummaries

const ownFlags: Readonly<Partial<Record<CommandName, string>>> = {
  shell: ' [flags]',
  boot: ' [IMAGE] [--listen ADDRESS] [flags]',
  console: ' [flags]',
  demo: ' [flags]',
  images: ' [--json] [--check] [--catalog-url URL]',
  cache: ' [--json] [--remove NAME] [--prune SIZE]',
  binfmt: ' status|install|restore [--platforms LIST] [--qemu-cpu MODEL] [--setuid]',
  exec: ' [--platform NAME] [--sysroot FOLDER|IMAGE] [--cpu MODEL]\n            [--env NAME=VALUE] [--locate|--no-locate] -- PROGRAM [ARGUMENT ...]',
  pi: ' [--name NAME] COMMAND ...',
  doctor: ' [--install]',
  clean: ' [--cache]'
}

/** The text of `pi-qemu --help`. */
export function helpText(): string {
  const wide = (text: string, width: number): string => text.padEnd(width)
  return [
    'pi-qemu: a Raspberry Pi under QEMU, from a terminal',
    '',
    'usage: pi-qemu run [flags] -- COMMAND [ARGUMENT ...]',
    "       pi-qemu run [flags] --run 'SCRIPT'",
    ...(Object.keys(commandSummaries) as CommandName[])
      .filter(name => name !== 'run')
      .map(name => `       pi-qemu ${name}${ownFlags[name] ?? ''}`),
    '',
    'commands:',
    ...Object.entries(commandSummaries).map(([name, summary]) => `  ${wide(name, 8)} ${summary}`),
    '',
    'flags (the same as the inputs of the action):',
    ...definitions.flatMap(({ name, placeholder, description, default: fallback }) => [
      `  --${name} ${placeholder}${listInputs.includes(name) ? ' (may be repeated)' : ''}`,
      ...wrap(
        `${description}${fallback === '' || description.includes('Default') ? '' : ` Default: \`${fallback}\`.`}`,
        92
      ).map(line => `      ${line}`)
    ]),
    '  -v, --verbose',
    '      Say more.',
    '',
    'The script’s output goes to stdout and stderr untouched; what pi-qemu itself says goes to stderr.',
    'Exit status: the script’s; 124 when a time limit was reached, 125 for a wrong request or a fault of ours.',
    'PI_QEMU_HOME is the folder for state and caches; by default ~/.cache/pi-qemu.',
    ''
  ].join('\n')
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}
