import { randomUUID } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { TreeFix } from '../boards'
import { tool, tryTool } from '../host/exec'
import { HostFailure } from '../report/errors'

export interface TreeRequest {
  /** Device tree blob; never written. */
  readonly from: string
  readonly to: string
  readonly fixes: readonly TreeFix[]
  /** Overlay files, applied in order, after the fixes. */
  readonly overlays: readonly string[]
  /** Random bytes that the kernel's generator starts from; a tree with an answer to that of its own keeps it. */
  readonly seed?: Buffer | undefined
}

/**
 * Makes a run's own device tree with fdtput and fdtoverlay. Returns one sentence per change, for the log.
 * @throws HostFailure if an overlay does not fit
 */
export async function makeDeviceTree({ from, to, fixes, overlays, seed }: TreeRequest): Promise<readonly string[]> {
  await copyFile(from, to)
  const notes: string[] = []
  for (const fix of fixes) {
    if (fix.make === true && typeof fix.node === 'string') await tool('fdtput', ['-p', '-c', to, fix.node])
    const nodes = await nodesOf(to, fix)
    for (const node of nodes) await applyFix(to, node, fix)
    const names = nodes.map(node => node.slice(node.lastIndexOf('/') + 1))
    if (nodes.length > 0) notes.push(`Device tree: ${changesOf(fix)} for ${names.join(', ')} (${fix.why})`)
  }
  if (overlays.length > 0) {
    const args = ['-i', to, '-o', to, ...overlays]
    const { code, stdout, stderr } = await tryTool('fdtoverlay', args)
    if (code !== 0) {
      throw new HostFailure({
        symptom: `the overlays ${overlays.map(file => basename(file)).join(', ')} cannot be applied to ${basename(from)}: ${(stderr || stdout).trim()}`,
        cause:
          'an overlay is for another board, or the device tree was built without symbols (dtc -@), as mainline ones often are',
        remedy: "use Raspberry Pi's device trees, or give one with the change in it as `dtb`"
      })
    }
    notes.push(`Device tree: with ${overlays.map(file => basename(file)).join(', ')}`)
  }
  if (seed !== undefined) await addSeed(to, seed)
  return notes
}

/**
 * Gives the kernel's random generator a start, as a Pi's firmware does (`/chosen/rng-seed`, dt-schema's chosen.yaml): without
 * it, what needs randomness early waits for seconds. The bytes are the guest's alone, so they are on no command line.
 */
async function addSeed(tree: string, seed: Buffer): Promise<void> {
  const place = randomUUID().padEnd(seed.length - 1, '-')
  await tool('fdtput', ['-p', '-t', 's', tree, '/chosen', 'rng-seed', place])
  const blob = await readFile(tree)
  const at = blob.indexOf(`${place}\0`)
  if (at < 0) throw new Error(`no place for the seed in ${tree}`)
  seed.copy(blob, at)
  await writeFile(tree, blob)
}

async function nodesOf(tree: string, { node, under = '/soc' }: TreeFix): Promise<readonly string[]> {
  if (typeof node === 'string') return (await tryTool('fdtget', ['-p', tree, node])).code === 0 ? [node] : []
  const { code, stdout } = await tryTool('fdtget', ['-l', tree, under])
  if (code !== 0) return []
  return stdout
    .split('\n')
    .filter(name => name !== '' && node.test(name))
    .map(name => `${under}/${name}`)
}

async function applyFix(tree: string, node: string, { set = {}, unset = [], childless }: TreeFix): Promise<void> {
  for (const [property, value] of Object.entries(set)) {
    const cells = typeof value === 'object'
    const words = value === true ? [] : cells ? value.map(cell => cell.toString(16)) : [value]
    await tool('fdtput', ['-t', cells ? 'x' : 's', tree, node, property, ...words])
  }
  const present = (await tool('fdtget', ['-p', tree, node])).split('\n')
  for (const property of unset) if (present.includes(property)) await tool('fdtput', ['-d', tree, node, property])
  if (childless !== true) return
  for (const child of (await tool('fdtget', ['-l', tree, node])).split('\n').filter(name => name !== ''))
    await tool('fdtput', ['-r', tree, `${node}/${child}`])
}

function changesOf({ set = {}, unset = [], childless }: TreeFix): string {
  return [
    ...Object.entries(set).map(([property, value]) =>
      value === true
        ? `+${property}`
        : `${property}=${typeof value === 'string' ? value : value.map(cell => `0x${cell.toString(16)}`).join(' ')}`
    ),
    ...unset.map(property => `-${property}`),
    ...(childless === true ? ['without its nodes'] : [])
  ].join(' ')
}
