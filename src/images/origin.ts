import { createHash } from 'node:crypto'
import type { Home } from '../host/paths'
import type { ImageRef } from '../inputs'
import type { Log } from '../report/log'
import { releaseSource, type ResolvedRelease } from './catalogue'
import { buildDebian, debianIdentity } from './debian/build'
import { buildMini, miniVersion } from './mini/build'
import { fileSource, urlSource, type Source } from './source'

export interface Origin {
  readonly image: ImageRef
  readonly sha256: string | undefined
  /** What a name of the catalogue stands for. */
  readonly release?: ResolvedRelease | undefined
}

/** Where an image comes from, whatever kind of name it was given. */
export async function openSource({ image, sha256, release }: Origin, home: Home, log: Log): Promise<Source> {
  switch (image.kind) {
    case 'file':
      return fileSource(image.path, sha256, home, log)
    case 'url':
      return urlSource(image.url, sha256, home, log)
    case 'catalogue':
      if (release === undefined) throw new Error(`${image.name}:${image.tag} was not looked up`)
      return releaseSource(release, home, log)
    case 'none':
      throw new Error('a bare kernel has no image')
    case 'debian': {
      const identity = createHash('sha256').update(debianIdentity(image.name, new Date())).digest('hex')
      return {
        name: image.name,
        sha256: identity,
        async unpackTo(target, scratch) {
          log.info(
            `Building ${image.name} from Debian packages; it takes some minutes, and serves until the month ends`
          )
          await buildDebian({ ...image, out: target, workDir: scratch, log })
          return identity
        }
      }
    }
    case 'mini': {
      const identity = createHash('sha256').update(`${image.name} ${miniVersion}`).digest('hex')
      return {
        name: image.name,
        sha256: identity,
        async unpackTo(target, scratch) {
          log.info(`Building ${image.name} from Debian packages`)
          await buildMini(image.architecture, target, scratch)
          return identity
        }
      }
    }
  }
}
