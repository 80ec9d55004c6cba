/** Every output, once: action.yml and the README's table are checked against this. */
export const outputs = {
  'exit-code': "The script's exit status; 128 + N if signal N ended it.",
  outcome: '`success`, `script-failed`, `boot-failed`, `timeout`, `bad-input` or `host-failed`.',
  'ssh-host': "Where SSH answers while the Pi is up: 127.0.0.1, or with `network: tap` the guest's own address.",
  'ssh-port': 'Its port.',
  'ssh-user': 'The guest user.',
  'ssh-key': 'File with the private key of this run.',
  'ssh-config': 'File for `ssh -F`; the host in it is called `pi`.',
  command: 'With `keep-running`: the command for later steps, which is on PATH by the name of the Pi.',
  'serial-log': 'File with what the guest wrote to its serial console.',
  'serial-socket': "With `serial: socket`: UNIX socket that leads to the Pi's serial console, one user at a time.",
  'monitor-socket': "With `monitor`: UNIX socket of QEMU's monitor.",
  'qmp-socket': "With `monitor`: UNIX socket of QEMU's machine protocol (QMP).",
  board: 'The emulated board.',
  'image-release':
    'The exact release that the name of the image stood for, as `name:date`: give it as `image` to get the same again.',
  platforms: 'With `mode: user`: platforms whose programs this host runs now, its own included, separated by commas.',
  sysroot: 'Folder with the libraries of `sysroot`.',
  digest: 'With `build`: digest of the image, or of the list of images, as a registry names it.',
  'image-id': 'With `build`: ID of the image.',
  metadata: 'With `build`: what Buildx says of the result, as JSON.',
  'cache-hit':
    'The most that came from a cache: `snapshot` (a booted Pi), `prepared` (a ready image), `image` (ready but for `prepare`), `qemu` (QEMU only) or `none`.',
  'qemu-version': 'Version of QEMU used.',
  'boot-seconds': "Seconds from QEMU's start to SSH.",
  timings: 'Seconds per phase, as JSON.'
} as const

export type OutputName = keyof typeof outputs
