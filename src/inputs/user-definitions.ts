import { define, type Definition } from './define'

/** Inputs of user mode about whose programs run, and as what. */
export const userDefinitions = [
  define(
    'platforms',
    'LIST',
    '',
    "Only with `mode: user`: whose programs this host has to run, by Docker's names (`linux/arm64`, `linux/arm/v7`, `linux/arm/v6`, `linux/arm/v5`, …), separated by commas; `all` is what the QEMU at hand has. Default: the image's, else the four of the Pi."
  ),
  define(
    'qemu-cpu',
    'MODEL',
    '',
    "Only with `mode: user`: CPU that programs see, by QEMU's names (`cortex-a53`, `max`); one per line for single platforms: `linux/arm64=cortex-a53`. Default: a Pi's."
  ),
  define(
    'sysroot',
    'FOLDER|IMAGE',
    '',
    'Only with `mode: user`: libraries for cross-built programs that later steps run on this host, an image or a folder; the output `sysroot` is the folder, for `QEMU_LD_PREFIX`. See docs/exec.md.'
  ),
  define(
    'setuid',
    'true|false',
    'false',
    'Only with `mode: user`: whether setuid programs of other platforms (`sudo`) get their rights in containers and everywhere on this host. See docs/security.md.'
  )
] as const satisfies readonly Definition[]
