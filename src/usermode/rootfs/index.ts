export { enterRootfs, type EnterRequest, type EnterResult, type Rootfs, type WorkspaceMount } from './enter'
