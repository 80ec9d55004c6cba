export { prepareImage, chooseUser, type PreparedImage, type SharedCache } from './prepared'
export { makeOverlay } from './overlay'
export { saveDisk } from './save'
export { makeKeys, type RunKeys } from './keys'
export {
  ageText,
  knownReleases,
  listPrepared,
  loadCatalogue,
  overview,
  pinned,
  resolveRelease,
  updates,
  type Listed,
  type LoadedCatalogue,
  type PreparedSummary,
  type Update
} from './catalogue'
