import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Pi } from '../boot'
import type { Context } from '../context'
import { excludedPatterns } from '../disks'
import { shellQuote } from '../guest'
import { letGoText } from '../images'
import { commandFolder, type Inputs } from '../inputs'
import { writeManifest } from '../workspace'
import { manifestFile, writeState } from './state'

/**
 * Leaves a Pi up for later steps: writes down what they have to know of it, and gives them a command of the Pi's name.
 */
export async function keepUp(inputs: Inputs, pi: Pi, { journal, log, output }: Context): Promise<void> {
  const { folder, logs, id } = journal
  const { image, user, login, machine, workspace, sshConfig } = pi
  const { uid = 0, gid = 0, home = '/' } = image.users[user] ?? {}
  if (workspace !== undefined) await writeManifest(join(folder, manifestFile), workspace.sent)
  await writeState(folder, {
    ...{ name: inputs.name, run: id, logs, uarts: machine.board.uarts, architecture: image.architecture },
    user: { name: user, uid, gid, home },
    ssh: {
      ...{ host: login.host, port: login.port, keyFile: pi.keyFile, config: sshConfig },
      hostKey: login.hostKey?.toString('base64')
    },
    bootTimeout: inputs.bootTimeout,
    startCpus: machine.cpusAtBoot !== undefined,
    spinningSecondaries:
      machine.board.spinningSecondaries && machine.cpusAtBoot === undefined && machine.clock === 'host',
    hasDisks: inputs.disks.length > 0,
    ...{ env: inputs.env, sync: inputs.sync, workspace: inputs.workspace },
    volume:
      workspace === undefined
        ? undefined
        : { file: workspace.volume, patterns: excludedPatterns(inputs), gitignore: inputs.syncGitignore }
  })
  await pi.guest.asRoot(letGoText)
  const command = await makeCommand(folder, inputs.name)
  output('command', command)
  const path = inputs.workflow?.files['GITHUB_PATH']
  if (path !== undefined) await appendFile(path, `${dirname(command)}\n`)
  journal.record({ kind: 'kept' })
  pi.guest.session.close()
  pi.qemu.qmp.close()
  log.info(`The Pi stays up; its command for later steps: ${path === undefined ? command : inputs.name}`)
}

/** A program that runs ours for this Pi. */
async function makeCommand(folder: string, name: string): Promise<string> {
  // dist/main/index.js and dist/cli/index.js lie side by side; npm links to the latter.
  const cli = resolve(dirname(realpathSync(process.argv[1] ?? '')), '../cli/index.js')
  const words = [process.execPath, cli, 'pi', '--run', folder].map(shellQuote)
  const command = join(folder, commandFolder, name)
  await mkdir(dirname(command))
  await writeFile(command, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
  return command
}
