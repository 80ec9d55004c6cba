import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { toolFailure } from '../host/exec'
import { goingOn } from '../host/going-on'
import { HostFailure } from '../report/errors'

export type Format = 'raw' | 'xz' | 'gz' | 'zst' | 'zip' | 'qcow2'

/** Programs that read the format on stdin and write the disk to stdout. */
const decompressors = {
  xz: ['xz', '-dc', '-T0'],
  gz: ['gzip', '-dc'],
  zst: ['zstd', '-dcq', '--long=31'],
  // The image is the only member, or comes with papers.
  zip: [
    'bsdtar',
    '-xOf',
    '-',
    ...['*.txt', '*.md', '*.pdf', '*.html', '*.sha*', '*.sig', '*.asc', '*.bmap'].flatMap(name => ['--exclude', name])
  ]
} as const

const magics: readonly (readonly [Format, string])[] = [
  ['xz', 'fd377a585a00'],
  ['gz', '1f8b'],
  ['zst', '28b52ffd'],
  ['zip', '504b0304'],
  ['qcow2', '514649fb']
]

/** Bytes of a file's beginning that {@link detectFormat} wants to see. */
export const headBytes = 520

/** The format, by what the bytes say; the name may lie. Undefined if they are no disk image at all. */
export function detectFormat(head: Buffer): Format | undefined {
  const hex = head.subarray(0, 8).toString('hex')
  const known = magics.find(([, magic]) => hex.startsWith(magic))
  if (known !== undefined) return known[0]
  // Boot signature of the MBR, which a GPT disk has too.
  return head.length >= 512 && head.readUInt16LE(510) === 0xaa55 ? 'raw' : undefined
}

/** The failure for bytes that are no image, with a look at what they are. */
export function notAnImage(name: string, head: Buffer): HostFailure {
  const text = head.subarray(0, 80).toString('latin1').trimStart()
  const page = /^<(!doctype|html|\?xml|head|body)/i.test(text)
  return new HostFailure({
    symptom: page
      ? `${name} is a web page, not a disk image (it starts with ${JSON.stringify(text.slice(0, 40))})`
      : `${name} is not a disk image: it is neither xz, gzip, zstd, zip nor qcow2, and has no partition table`,
    cause: page
      ? 'the URL leads to a page about the image, or to an error page'
      : 'the file is something else, or is damaged',
    remedy: 'give the address of the image file itself (raw, .xz, .gz, .zst, .zip or .qcow2)'
  })
}

/** Grain of holes in the written image: the block size of every file system we meet. */
const grain = 4096
const zeros = Buffer.alloc(64 * 1024)

/** Writes a stream of bytes to a file, leaving holes where there are zeros. */
export class SparseWriter {
  private position = 0

  private constructor(private readonly file: FileHandle) {}

  static async create(path: string): Promise<SparseWriter> {
    return new SparseWriter(await open(path, 'w'))
  }

  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const isData = !isZero(chunk.subarray(at, at + step(this.position, chunk.length - at)))
      const start = at
      // Runs of data go out in one write; runs of zeros in none.
      do at += step(this.position + at - start, chunk.length - at)
      while (
        at < chunk.length &&
        isData === !isZero(chunk.subarray(at, at + step(this.position + at - start, chunk.length - at)))
      )
      if (isData) await this.writeFully(chunk.subarray(start, at))
      this.position += at - start
    }
  }

  /** @returns the size of the file in bytes */
  async close(): Promise<number> {
    try {
      await this.file.truncate(this.position)
    } finally {
      await this.file.close()
    }
    return this.position
  }

  private async writeFully(data: Buffer): Promise<void> {
    for (let done = 0; done < data.length;) {
      const { bytesWritten } = await this.file.write(data, done, data.length - done, this.position + done)
      done += bytesWritten
    }
  }
}

/** Bytes to the next boundary of {@link grain}. */
const step = (position: number, available: number): number => Math.min(available, grain - (position % grain))
const isZero = (piece: Buffer): boolean => piece.equals(zeros.subarray(0, piece.length))

export interface UnpackResult {
  /** SHA-256 of the bytes as they came in. */
  readonly sha256: string
  /** Bytes of the disk. */
  readonly size: number
}

export interface UnpackRequest {
  /** The file as it is on disk or on the server. */
  readonly chunks: AsyncIterable<Buffer>
  readonly format: Exclude<Format, 'qcow2'>
  /** Raw image to write (sparse). */
  readonly target: string
  /** What to call the file in messages. */
  readonly name: string
  /** SHA-256 that the bytes must have. */
  readonly expected?: string | undefined
}

/**
 * Hashes, unpacks and writes an image in one pass, with a bounded amount of memory.
 * @throws HostFailure if the checksum differs, the archive is damaged, or the disk is full
 */
export async function unpack({ chunks, format, target, name, expected }: UnpackRequest): Promise<UnpackResult> {
  const hash = createHash('sha256')
  const writer = await SparseWriter.create(target)
  let damage: HostFailure | undefined
  try {
    if (format === 'raw') {
      for await (const chunk of chunks) {
        // The write goes on while its bytes are hashed.
        const written = writer.write(chunk)
        hash.update(chunk)
        await written
      }
    } else {
      damage = await through(decompressors[format], { chunks, hash, writer, name, readOn: expected !== undefined })
    }
  } catch (error) {
    await writer.close().catch(() => undefined)
    throw diskFull(error) ?? error
  }
  const size = await writer.close()
  const sha256 = hash.digest('hex')
  if (expected !== undefined) checkSum(name, expected, sha256)
  if (damage !== undefined) throw damage
  return { sha256, size }
}

/** @throws HostFailure if they differ */
export function checkSum(name: string, expected: string, actual: string): void {
  if (actual === expected) return
  throw new HostFailure({
    symptom: `the checksum of ${name} is wrong: expected SHA-256 ${expected}, got ${actual}`,
    cause: 'the file is damaged or cut short, or is another release than the checksum',
    remedy: 'check `image-sha256` (or the .sha256 file beside the image), and download again'
  })
}

interface Stages {
  readonly chunks: AsyncIterable<Buffer>
  readonly hash: ReturnType<typeof createHash>
  readonly writer: SparseWriter
  readonly name: string
  /** Whether the rest is read, for the checksum, when the tool has stopped already. */
  readonly readOn: boolean
}

/** Pipes the chunks through a decompressor to the writer; returns what is wrong with the archive, if anything. */
async function through(
  [command, ...args]: (typeof decompressors)[keyof typeof decompressors],
  { chunks, hash, writer, name, readOn }: Stages
): Promise<HostFailure | undefined> {
  await goingOn()
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const complaints: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  const ended = new Promise<number | string>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve(code ?? signal ?? 'unknown')
    })
  })
  ended.catch(() => undefined)
  // A tool that stops reading (damaged data) breaks the pipe; its status then says why.
  child.stdin.on('error', () => undefined)

  const feed = async (): Promise<void> => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      if (child.stdin.destroyed && !readOn) break
      if (child.stdin.destroyed || child.stdin.write(chunk)) continue
      await Promise.race([new Promise(resolve => child.stdin.once('drain', resolve)), ended])
    }
    child.stdin.end()
  }
  try {
    await Promise.all([feed(), drain(child.stdout, writer)])
  } catch (error) {
    child.kill('SIGKILL')
    await ended
    throw error
  }
  const status = await ended
  if (status === 0) return undefined
  return new HostFailure({
    symptom: `${name} cannot be unpacked: ${toolFailure(command, args, status, Buffer.concat(complaints).toString()).message}`,
    cause: 'the file is damaged or cut short',
    remedy: 'download it again, and give its checksum as `image-sha256`'
  })
}

async function drain(source: AsyncIterable<Buffer>, writer: SparseWriter): Promise<void> {
  for await (const chunk of source) await writer.write(chunk)
}

/** The failure for a full disk, if that is what happened. */
export function diskFull(error: unknown): HostFailure | undefined {
  if ((error as NodeJS.ErrnoException | undefined)?.code !== 'ENOSPC') return undefined
  return new HostFailure(
    {
      symptom: 'the disk is full',
      cause: 'the unpacked image does not fit',
      remedy: 'free some space, or point PI_QEMU_HOME at a larger disk'
    },
    { cause: error }
  )
}
