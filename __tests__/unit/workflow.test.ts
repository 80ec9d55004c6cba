import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../src/report/log'
import { commandFiles, makeText, printText, readPrinted, scriptEnvironment, tellJob } from '../../src/workflow'
import { scratchFolder } from './scratch'

const scratch = scratchFolder()
const asked = { env: {}, workflow: { files: {} }, sync: 'both', workspace: '/work' } as const

describe('the environment of a script', () => {
  test('is the user’s own outside of a workflow', () => {
    expect(scriptEnvironment({ ...asked, env: { A: '1' }, workflow: undefined }, 'arm64', '/run/x')).toEqual({ A: '1' })
  })

  test('has what every step of a job has, and the user’s has the last word', () => {
    expect(scriptEnvironment({ ...asked, env: { CI: 'no' } }, 'armhf', '/run/x')).toEqual({
      ...{ CI: 'no', GITHUB_ACTIONS: 'true', RUNNER_OS: 'Linux', RUNNER_ARCH: 'ARM', GITHUB_WORKSPACE: '/work' },
      GITHUB_OUTPUT: '/run/x/github-output',
      GITHUB_ENV: '/run/x/github-env',
      GITHUB_PATH: '/run/x/github-path',
      GITHUB_STEP_SUMMARY: '/run/x/github-step-summary'
    })
    expect(scriptEnvironment({ ...asked, sync: 'none' }, 'linux/arm64', '/x')).toMatchObject({ RUNNER_ARCH: 'ARM64' })
    expect(scriptEnvironment({ ...asked, sync: 'none' }, 'arm64', '/x')).not.toHaveProperty('GITHUB_WORKSPACE')
  })
})

test('the files are printed and read back, whatever is in them', () => {
  const folder = scratch.fresh()
  const shell = (text: string): string => spawnSync('sh', { input: text, encoding: 'utf8' }).stdout
  shell(makeText(folder))
  expect(readPrinted(shell(printText(folder)))).toEqual({
    ...{ GITHUB_OUTPUT: '', GITHUB_ENV: '', GITHUB_PATH: '', GITHUB_STEP_SUMMARY: '' }
  })
  const text = 'a<<END\nline with  blanks\n::error::x\nEND\näöü\n'
  writeFileSync(join(folder, commandFiles.GITHUB_OUTPUT), text)
  writeFileSync(join(folder, commandFiles.GITHUB_ENV), 'A=1')
  expect(readPrinted(shell(printText(folder)))).toMatchObject({ GITHUB_OUTPUT: text, GITHUB_ENV: 'A=1' })
})

describe('what a script told', () => {
  const warnings: string[] = []
  const log = { warn: (text: string) => warnings.push(text) } as unknown as Log

  test('is added to the files of the job, and folders for PATH only if they are on this host', async () => {
    const folder = scratch.fresh()
    mkdirSync(folder, { recursive: true })
    const files = Object.fromEntries(Object.keys(commandFiles).map(name => [name, join(folder, name)]))
    for (const file of Object.values(files)) writeFileSync(file, 'before\n')
    await tellJob(
      { GITHUB_OUTPUT: 'a=1', GITHUB_PATH: '/work/bin\n/opt/other\n/work/../etc\n', GITHUB_ENV: ' \n' },
      { ...asked, workflow: { files } },
      log
    )
    const now = Object.fromEntries(Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]))
    expect(now).toEqual({
      GITHUB_OUTPUT: 'before\na=1\n',
      GITHUB_PATH: 'before\n/work/bin\n',
      GITHUB_ENV: 'before\n',
      GITHUB_STEP_SUMMARY: 'before\n'
    })
    expect(warnings).toEqual([
      'GITHUB_PATH: /opt/other is not in the workspace, and so not on this host; it is left out',
      'GITHUB_PATH: /work/../etc is not in the workspace, and so not on this host; it is left out'
    ])
  })
})
