export { enterRootfs, type EnterRequest, type EnterResult, type Rootfs, type WorkspaceMount } from './enter'
export { rightsHere, wordsFor, type Rights } from './rights'
