export { registeredHandlers, registerHandlers, withdrawHandlers } from './binfmt'
export { handlerLine, ownPrefix, takes, type Handler } from './handler'
export {
  emulatorsFor,
  platform,
  platforms,
  readPlatform,
  readPlatforms,
  staticEmulator,
  type Emulator,
  type Platform
} from './platforms'
export { selfTest } from './self-test'
