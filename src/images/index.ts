export { prepareImage, chooseUser, type PreparedImage } from './prepared'
export { uefiFor } from './uefi'
export { makeOverlay } from './overlay'
export { genericKernel, modulesArguments, modulesLabel, type GenericKernel } from './generic-kernel'
export { saveDisk } from './save'
export { makeKeys, type RunKeys } from './keys'
export { fetchPackages } from './packages'
export { answersWizard, ownChanges, privateCopy } from './private-copy'
export { channelName, holdArgument, keysFile, reseedFile, wizardUnit } from './provision'
export { readBootText } from './boot-text'
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
