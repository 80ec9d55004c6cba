export { excluding } from './tree'
export { makeVolume, readVolume, workspaceLabel, type Manifest } from './volume'
export { mirror } from './mirror'
