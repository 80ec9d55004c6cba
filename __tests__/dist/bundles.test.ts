import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cli } from '../kit/cli'
import { node24 } from '../kit/node24'
import { repository, RunnerJob } from '../kit/runner'

jest.setTimeout(300_000)

test('dist is what npm run build makes of src', async () => {
  await expect(promisify(execFile)(process.execPath, ['scripts/check-dist.mjs'], { cwd: repository })).resolves.toBeDefined()
})

describe.each([
  ['the Node that runs this', () => Promise.resolve(process.execPath)],
  ['Node 24', node24]
] as const)('under %s', (_name, binary) => {
  test('the command line starts', async () => {
    const { code, stdout, stderr } = await cli(['--help'], { node: await binary() })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('usage: pi-qemu run')
  })

  test('main starts, reads its inputs and reports a fault; post has nothing to do', async () => {
    const job = await RunnerJob.create({ node: await binary() })
    try {
      const step = job.step({ board: 'raspi9' })
      const { code, outputs, log } = await step.main()
      expect([code, outputs['outcome']]).toEqual([125, 'bad-input'])
      expect(log).toContain('input `board` is “raspi9”')
      const post = await step.post()
      expect([post.code, post.log]).toEqual([0, 'Nothing to tear down\n'])
    } finally {
      await job.dispose()
    }
  })
})

test('a bundle works without node_modules beside it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-alone-'))
  try {
    await promisify(execFile)('cp', ['-r', join(repository, 'dist'), folder])
    await writeFile(join(folder, 'package.json'), '{}')
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'dist/cli/index.js'), 'boards'])
    expect(stdout).toContain('raspi3b')
  } finally {
    await rm(folder, { recursive: true })
  }
})
