export { hasHandlers, registeredHandlers, withdrawHandlers } from './binfmt'
export { handlerLine, ownPrefix, takes, type Handler } from './handler'
export { provideInterpreter, type Interpreter, type InterpreterPlace } from './interpreter'
export {
  cpuOf,
  emulatorsFor,
  ofPis,
  platform,
  platformOfImages,
  platforms,
  readPlatform,
  readPlatforms,
  staticEmulator,
  type CpuModels,
  type Emulator,
  type Platform,
  type WantedPlatforms
} from './platforms'
export { describeProvided, provideHandlers, provideInterpreters, type Provided } from './provide'
export {
  enterRootfs,
  rightsHere,
  wordsFor,
  type EnterRequest,
  type EnterResult,
  type Rights,
  type Rootfs,
  type WorkspaceMount
} from './rootfs'
