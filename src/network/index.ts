export { checkTapRights } from './rights'
export { makeTap } from './tap'
export { takeDownTap } from './take-down'
export type { TapNetwork } from './types'
