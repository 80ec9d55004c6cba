export { attachConsole, type ConsoleEnd } from './console'
export { tellAccess } from './outputs'
export { stayOnFailure } from './stay'
