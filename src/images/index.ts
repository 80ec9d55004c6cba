export { prepareImage, chooseUser, type PreparedImage, type SharedCache } from './prepared'
export { makeOverlay } from './overlay'
export { saveDisk } from './save'
export { makeKeys, type RunKeys } from './keys'
