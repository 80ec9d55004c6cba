export {
  qemuArguments,
  logFiles,
  ownNetwork,
  runFiles,
  type Firmware,
  type Machine,
  type NetworkBackend,
  type SharedFolder,
  type Volume
} from './argv'
export { describeInstall, provideQemu } from './install'
export { machinesIn, type QemuInstall } from './probe'
export { cachedPrivateVersion, hasPrivateQemu } from './private'
export { flushPatience, qemuCommand, qemuProgram, quitQemu, startQemu, type Life, type Qemu } from './process'
export { hasBoard } from './version'
export { waitForGdb } from './gdb'
export { screenshot } from './screen'
export { poweredOff, SerialLog } from './serial'
export { makeDeviceTree, type TreeRequest } from './device-tree'
export { Qmp } from './qmp'
export { restrainSecondaries } from './secondaries'
