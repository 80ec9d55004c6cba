import { define, type Definition } from './define'

/** Inputs for looking into a Pi while it runs, or once it failed. */
export const debugDefinitions = [
  define(
    'debug-on-failure',
    'MINUTES',
    '',
    'If the boot or the script fails, the Pi stays up for so long (`30`, `90s`, `2h`; minutes without a unit), and the log says how to get in. Default: it goes at once.'
  ),
  define(
    'gdb',
    'PORT[,wait]',
    '',
    "QEMU's stub for gdb, on this port of 127.0.0.1; with `,wait` the CPUs stand still until gdb lets them go. Default: none."
  ),
  define(
    'monitor',
    'true|false',
    'false',
    "Sockets for QEMU's monitor and its QMP, see the outputs `monitor-socket` and `qmp-socket`."
  ),
  define(
    'serial',
    'file|socket',
    'file',
    'The serial console goes to a file; with `socket` a socket besides leads to it and takes input, see the output `serial-socket`.'
  ),
  define(
    'vnc',
    'PORT',
    '',
    'The display, by VNC without a password, on this port of 127.0.0.1 (5900 or above). Gives `virt` a display, and a Pi a keyboard. Default: none.'
  )
] as const satisfies readonly Definition[]
