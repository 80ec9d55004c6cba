export { lostGuest, Rebooted, waitForLogin, watchBoot, watchGuest } from './readiness'
export { Guest } from './guest'
export { GuestSession, knock, LoginError, type ExecOptions, type Login } from './ssh'
export { copyOutText, patternsWithoutMatch } from './copy-out'
export {
  guestDirectory,
  guestFolder,
  kernelIn,
  setupText,
  shellCommand,
  shellQuote,
  startText,
  type ScriptRequest,
  type SetupRequest
} from './script'
export { sshConfigFile, sshHost, writeSshConfig } from './ssh-config'
