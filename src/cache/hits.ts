/** What may come from a cache, least first: each spares what stands before it, too. */
export const cacheLevels = ['none', 'qemu', 'image', 'prepared', 'snapshot'] as const

/** `prepared` is an image that is ready; `image` is one that is ready but for `prepare`. */
export type CacheLevel = (typeof cacheLevels)[number]

/** The most that came from a cache in one run, and why it was not more. */
export class CacheHits {
  private most: CacheLevel = 'none'
  private readonly reasons: string[] = []

  /** @param told is called with the level whenever it is known or rises */
  constructor(private readonly told: (level: CacheLevel) => void = () => undefined) {}

  get level(): CacheLevel {
    return this.most
  }

  /** Notes that something came from a cache; less than before changes nothing. */
  note(level: CacheLevel): void {
    if (cacheLevels.indexOf(level) > cacheLevels.indexOf(this.most)) this.most = level
    this.told(this.most)
  }

  /** Notes what kept more from coming from a cache. */
  missed(reason: string): void {
    this.reasons.push(reason)
  }

  /** `image (\`prepare\` changed)` */
  get text(): string {
    return this.reasons.length === 0 ? this.most : `${this.most} (${this.reasons.join('; ')})`
  }
}
