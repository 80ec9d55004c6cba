export { actionsCache } from './actions-cache'
export { CacheHits, cacheLevels, type CacheLevel } from './hits'
export { Saves } from './saves'
export { readOnly, type SharedCache, type SharedEntry, type SharedKind } from './shared'
