export { qemuArguments, logFiles, runFiles, type Machine, type Volume } from './argv'
export { qemuProgram, quitQemu, startQemu, type Qemu } from './process'
export { SerialLog } from './serial'
export { makeDeviceTree, type TreeRequest } from './device-tree'
