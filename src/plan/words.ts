import { boards } from '../boards'
import type { ImageRef, Inputs } from '../inputs'
import { mib } from '../report/log'

/** What is decided before the image is known, in words, for the log. */
export function describePlan(inputs: Inputs): readonly string[] {
  const { image, sync } = inputs
  const names: Readonly<Record<ImageRef['kind'], string>> = {
    file: image.kind === 'file' ? image.path : '',
    url: image.kind === 'url' ? image.url : '',
    catalogue: image.kind === 'catalogue' ? `${image.name}:${image.tag}` : '',
    mini: `${image.kind === 'mini' ? image.name : ''} (built here from Debian packages)`,
    debian: `${image.kind === 'debian' ? image.name : ''} (built here from Debian packages)`,
    none: 'none: a bare kernel'
  }
  return [
    `image: ${names[image.kind]}`,
    inputs.mode === 'user'
      ? "mode: user: no boot, the host's kernel, each program emulated by itself"
      : `board: ${inputs.board === undefined ? "by the image's architecture" : boards[inputs.board].title}`,
    `provisioning: ${inputs.provision === 'auto' ? 'offline, on a copy' : 'none (provision: none)'}`,
    ...wishesOf(inputs),
    `workspace: ${sync === 'none' ? 'not exchanged (sync: none)' : `${inputs.workspace} (sync: ${sync})`}`,
    `script: ${scriptWords(inputs)}`,
    `afterwards: ${afterwards(inputs)}`
  ]
}

function scriptWords({ mode, run }: Inputs): string {
  if (run !== undefined) return `${run.trim().split('\n').length} line(s)`
  return mode === 'user' ? 'none' : 'none, boot only'
}

function afterwards({ mode, keepRunning, saveImage }: Inputs): string {
  if (saveImage !== undefined) return `disk saved to ${saveImage.path}`
  if (mode === 'user') return 'changes dropped'
  return keepRunning ? 'stays up for later steps' : 'switched off, changes dropped'
}

/** What is asked of the image beyond the usual. */
function wishesOf({
  password,
  hostname,
  diskSize,
  files,
  firstBoot,
  prepare,
  prepareBoard
}: Inputs): readonly string[] {
  const prepareOn = prepareBoard === undefined ? '' : ` on ${prepareBoard}`
  return [
    ...(prepare === undefined ? [] : [`prepare: ${prepare.trim().split('\n').length} line(s)${prepareOn}, once`]),
    ...(firstBoot === 'run' ? ["first boot: the image's own, reboots included"] : []),
    ...(hostname === undefined ? [] : [`host name: ${hostname}`]),
    ...(password === undefined ? [] : ['password: as given, for this run only']),
    ...(diskSize === undefined ? [] : [`disk: ${mib(diskSize)}`]),
    ...(files.length === 0 ? [] : [`files: ${files.length}, on a copy of this run`])
  ]
}
