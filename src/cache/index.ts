/**
 * What is kept between runs, on this machine and for other jobs. The client of GitHub's cache is apart (actions-cache):
 * the command line does without it.
 */
export { CacheHits, cacheLevels, type CacheLevel } from './hits'
export { Saves } from './saves'
export { readOnly, type SharedCache, type SharedEntry, type SharedKind } from './shared'
