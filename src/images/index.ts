export { takeBootFiles } from './boot-files'
export { chooseUser, makeImage, noteRelease, type PreparedImage, type PrepareRequest } from './prepared'
export { baseKey, familyOfBoard, keyFrom, preparedKey, type BoardFamily } from './layer-keys'
export { fromStore, keepImage, loadImage, provenances, touched, type Provenance } from './store'
export { libraryFiles } from './libraries'
export { openSource } from './origin'
export type { Source } from './source'
export { uefiFor } from './uefi'
export { makeOverlay } from './overlay'
export { genericKernel, modulesArguments, modulesLabel, type GenericKernel } from './generic-kernel'
export { saveDisk } from './save'
export { sealImage } from './seal'
export { makeKeys, placeholder, type RunKeys } from './keys'
export { answersWizard, ownChanges, privateCopy } from './private-copy'
export {
  authorizedKeys,
  channelName,
  holdArgument,
  keysFile,
  letGoText,
  miniAuthorizedKeys,
  reseedFile,
  wizardUnit
} from './provision'
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
  type ResolvedRelease,
  type Listed,
  type LoadedCatalogue,
  type PreparedSummary,
  type Update
} from './catalogue'
