/**
 * The kernel arguments of a cmdline.txt that are to count: all but those about consoles and screens, which the board
 * has its own for. The firmware reads one line only.
 */
export function ownArguments(cmdline: string): readonly string[] {
  const line = cmdline.split('\n').find(text => text.trim() !== '') ?? ''
  return line
    .trim()
    .split(/\s+/)
    .filter(word => word !== '' && !notOurs.test(word))
}

const notOurs = /^(console=|earlycon(=|$)|quiet$|splash$|loglevel=|logo\.|vt\.|plymouth\.)/
