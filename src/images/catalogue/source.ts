import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Home } from '../../host/paths'
import { HostFailure } from '../../report/errors'
import type { Log } from '../../report/log'
import { openDownload } from '../download'
import { download, publishedSum, type Source } from '../source'
import { requireSpace } from '../space'
import { checkSum } from '../unpack'
import type { ResolvedRelease } from './index'
import { pinned, type Release } from './release'
import { preparedNote, recallRelease } from './remembered'

interface KnownSum {
  /** Of the file as downloaded. */
  readonly sha256: string
  readonly from: 'remembered' | 'catalogue' | 'published'
}

/**
 * The image file of a release. What vouches for it is, in this order: the checksum it had when it was used before, if
 * the user asked for this very release; the catalogue's; the `.sha256` beside it; the catalogue's checksum of the
 * unpacked disk. Without any of them it is refused.
 */
export async function releaseSource(resolved: ResolvedRelease, home: Home, log: Log): Promise<Source> {
  const { release } = resolved
  const name = pinned(release)
  const known = await checksum(resolved, home, log)
  if (known === undefined && release.diskSha256 === undefined) throw unverifiable(release)
  // Without a checksum of the file, what was made of it can be found again only by what it was then.
  const before = known === undefined ? (await recallRelease(home, resolved.catalogUrl, name))?.sha256 : undefined
  return {
    name,
    sha256: known?.sha256 ?? before,
    async unpackTo(target, scratch) {
      const { diskSize, downloadSize, url } = release
      const needed = (diskSize ?? 0) + (downloadSize ?? 0)
      await requireSpace(scratch, needed, name)
      if (known?.from === 'catalogue') await compareSums(release, known.sha256, log)
      const opened = await openDownload(url, log).catch(async (error: unknown) => {
        throw await outOfReach(resolved, error, home)
      })
      const sha256 = await download({ url, opened, expected: known?.sha256, target, scratch, log })
      if (known === undefined && release.diskSha256 !== undefined) {
        checkSum(`the disk in ${url}`, release.diskSha256, await fileSum(target))
        log.info(`SHA-256 of the unpacked disk: ${release.diskSha256} (from the catalogue)`)
      }
      return sha256
    }
  }
}

async function checksum(resolved: ResolvedRelease, home: Home, log: Log): Promise<KnownSum | undefined> {
  const { release, catalogUrl, sha256 } = resolved
  if (sha256 !== undefined) return { sha256, from: 'remembered' }
  if (release.sha256 !== undefined) {
    log.info(`SHA-256 ${release.sha256} (from the catalogue)`)
    return { sha256: release.sha256, from: 'catalogue' }
  }
  let published: string | undefined
  try {
    published = await publishedSum(release.url, log)
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error
    const before = await recallRelease(home, catalogUrl, pinned(release))
    if (before === undefined) throw await outOfReach(resolved, error, home)
    log.info(`SHA-256 ${before.sha256} (as when it was used here before; ${error.message})`)
    return { sha256: before.sha256, from: 'remembered' }
  }
  if (published === undefined) return undefined
  log.info(`SHA-256 ${published} (from ${release.url}.sha256)`)
  return { sha256: published, from: 'published' }
}

/** @throws HostFailure if the publisher of the image and the catalogue do not agree */
async function compareSums({ url, name, pin }: Release, listed: string, log: Log): Promise<void> {
  let published: string | undefined
  try {
    published = await publishedSum(url, log)
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error
    log.info(`The catalogue's checksum could not be compared with ${url}.sha256: ${error.message}`)
  }
  if (published === undefined || published === listed) return
  throw new HostFailure({
    symptom: `there are two checksums for ${name}:${pin}: SHA-256 ${listed} in the catalogue, ${published} in ${url}.sha256`,
    cause: 'the image was replaced and only one of them followed, or somebody has tampered with one of them',
    remedy: 'take another release; or find out which is right, and give the URL as `image` with `image-sha256`'
  })
}

function unverifiable({ name, pin, url }: Release): HostFailure {
  return new HostFailure({
    symptom: `${name}:${pin} is not downloaded, because it could not be verified: neither the catalogue nor ${url}.sha256 has a checksum for it`,
    cause: 'the publisher gives none, or has removed the image',
    remedy: 'take another release; or give the URL as `image`, with the checksum as `image-sha256`'
  })
}

/** The same failure, with what can be done without a network. */
async function outOfReach({ release, problem }: ResolvedRelease, error: unknown, home: Home): Promise<unknown> {
  if (!(error instanceof HostFailure)) return error
  return new HostFailure(
    {
      symptom: `${pinned(release)} is not prepared here and cannot be fetched: ${error.message}`,
      cause:
        problem === undefined ? error.details.cause : `no network: the catalogue is out of reach, too (${problem})`,
      remedy: `check the network (behind a proxy set HTTPS_PROXY), or use what is there: ${await preparedNote(home)}`
    },
    { cause: error }
  )
}

async function fileSum(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}
