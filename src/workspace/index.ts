export { excluding } from './tree'
export { makeVolume, readVolume, workspaceLabel, type Manifest } from './volume'
export type { FolderModes } from './read-back'
export { mirror } from './mirror'
