/** Names of the files that QEMU reads and writes in the run's folder, which is its working directory. */
export const runFiles = {
  disk: 'disk.qcow2',
  deviceTree: 'board.dtb',
  uefiVariables: 'uefi-vars.fd',
  qmp: 'qmp.sock',
  monitor: 'monitor.sock',
  userQmp: 'user-qmp.sock',
  serial: (uart: number): string => `serial${uart}.sock`,
  channel: 'channel.sock',
  packets: 'net.pcap'
} as const

/** Names in the run's log folder. */
export const logFiles = {
  qemu: 'qemu.log',
  /** Program and arguments, each on a line. */
  argv: 'qemu-argv.txt',
  qmp: 'qmp.log',
  serial: (uart: number): string => `serial${uart}.log`
} as const
