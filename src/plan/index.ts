export { boardFor, knownBoard, wantsGenericKernel } from './board'
export { planMachine, type MachinePlan, type MachineRequest } from './machine'
export { toolsFor, unpackersFor } from './tools'
export { describePlan } from './words'
