export { qemuArguments, logFiles, runFiles, type Firmware, type Machine, type Volume } from './argv'
export { flushPatience, qemuProgram, quitQemu, startQemu, type Qemu } from './process'
export { poweredOff, SerialLog } from './serial'
export { makeDeviceTree, type TreeRequest } from './device-tree'
