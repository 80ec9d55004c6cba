import { readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { debianImage } from '../kit/debian-image'
import { miniImage } from '../kit/mini-image'
import { needs } from '../kit/needs'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { RunningStep, StepResult } from '../kit/running-step'

jest.setTimeout(300_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const board = 'virt'
const errors = ({ commands }: StepResult): readonly string[] =>
  commands.filter(({ name }) => name === 'error').map(({ message }) => message)

/** The pid of the QEMU that serves a step, once there is one. */
async function qemuPid(step: RunningStep, home: string): Promise<number> {
  await needs(['procps'])
  await step.waitForLog(/Boot .* on|Continue the booted Pi/, 60_000)
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const pids = (await run('pgrep', ['-f', `qemu-system-aarch64.*${home}`], { tolerate: true })).match(/\d+/g) ?? []
    // Not 0, which would be all of us.
    if (pids.length > 0) {
      expect(pids).toHaveLength(1)
      return Number(pids[0])
    }
    await sleep(100)
  }
  throw new Error('no QEMU appeared')
}

describe('a boot that fails says why, as soon as it is known', () => {
  test('no root file system', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', append: 'root=/dev/nowhere' })
    const result = await step.main()
    expect(result.code).toBe(125)
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([
      expect.stringMatching(/found no root file system[\s\S]*\/dev\/nowhere[\s\S]*Cause: [\s\S]*Remedy: [\s\S]*Log: /)
    ])
    expect(result.log).toContain('Serial console, last')
    // The guest gives up looking after 15 s; no boot-timeout (10 min) was waited for.
    expect(result.seconds).toBeLessThan(120)
    await step.post()
  })

  test('a kernel that waits for its root file system for ever', async () => {
    // Without an initramfs to give up, the kernel itself waits (rootwait).
    const step = job.step({ board, sync: 'none', run: 'true', append: 'rdinit=/nothing root=/dev/nowhere' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([
      expect.stringMatching(/waits for a root file system that does not appear.*nowhere/)
    ])
    await step.post()
  })

  test('a kernel panic', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', append: 'init=/etc/hostname' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/panicked|no init to start/)])
    expect(result.seconds).toBeLessThan(60)
    await step.post()
  })

  test('a guest without a network device', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', append: 'module_blacklist=virtio_net' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/the guest has no network interface/)])
    await step.post()
  })

  test('a systemd guest that stops in emergency mode', async () => {
    const image = await debianImage()
    const step = job.step({ image, board, sync: 'none', run: 'true', append: 'systemd.unit=emergency.target' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/stopped in emergency mode/)])
    await step.post()
  })

  test('a guest whose SSH server never comes up: the time limit, and what the console says of it', async () => {
    const keyFile = join(job.workspace, 'key')
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
    // Not provisioned, the mini image has no host key, and so no SSH server.
    const step = job.step({
      image: await miniImage(),
      board,
      sync: 'none',
      run: 'true',
      provision: 'none',
      'ssh-key': keyFile,
      'boot-timeout': '20s'
    })
    const result = await step.main()
    expect(result.code).toBe(124)
    expect(result.outputs['outcome']).toBe('timeout')
    expect(errors(result)).toEqual([
      expect.stringMatching(/SSH did not answer within 20 s.*the guest is up, but its SSH server does not answer/)
    ])
    await step.post()
  })

  test('QEMU killed from outside while booting', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', snapshot: 'off' })
    const running = await step.start()
    process.kill(await qemuPid(running, job.home), 'SIGKILL')
    const killed = Date.now()
    const result = await running.done
    expect(Date.now() - killed).toBeLessThan(5000)
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/QEMU ended while the guest was booting \(signal SIGKILL\)/)])
    await step.post()
  })

  test('arguments QEMU does not know', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', 'qemu-args': '-no-such-option' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/QEMU did not start[\s\S]*no-such-option[\s\S]*qemu-args/)])
    await step.post()
  })
})

describe('a script that does not end well', () => {
  test('QEMU killed from outside while it runs: the cause, and the workspace as it was', async () => {
    await writeFile(join(job.workspace, 'file'), 'host')
    const step = job.step({ board, run: 'echo guest > file; sync; echo started; sleep 60' })
    const running = await step.start()
    const pid = await qemuPid(running, job.home)
    await running.waitForLog(/^started$/m, 120_000)
    process.kill(pid, 'SIGKILL')
    const killed = Date.now()
    const result = await running.done
    expect(Date.now() - killed).toBeLessThan(5000)
    expect(result.outputs['outcome']).toBe('boot-failed')
    expect(errors(result)).toEqual([expect.stringMatching(/QEMU ended while the script was running/)])
    expect(await readFile(join(job.workspace, 'file'), 'utf8')).toBe('host')
    await step.post()
  })

  test('a kernel panic while it runs is noticed at once', async () => {
    const step = job.step({ board, sync: 'none', run: 'echo started; sleep 1; echo c > /proc/sysrq-trigger; sleep 60' })
    const running = await step.start()
    await running.waitForLog(/^started$/m, 120_000)
    const started = Date.now()
    const result = await running.done
    expect(Date.now() - started).toBeLessThan(15_000)
    expect(errors(result)).toEqual([expect.stringMatching(/kernel of the guest (panicked|crashed).*sysrq/i)])
    await step.post()
  })

  test('run-timeout ends it, its children too; what it wrote comes back', async () => {
    const step = job.step({
      board,
      run: 'echo partial > file; sleep 1000 & sleep 1000',
      'run-timeout': '3s',
      'keep-running': 'true'
    })
    const result = await step.main()
    expect(result.code).toBe(124)
    expect(result.outputs).toMatchObject({ outcome: 'timeout', 'exit-code': '124' })
    expect(errors(result)).toEqual([expect.stringContaining('run-timeout')])
    expect(await readFile(join(job.workspace, 'file'), 'utf8')).toBe('partial\n')
    const left = await run('ssh', ['-F', result.outputs['ssh-config'] ?? '', 'pi', 'ps | grep -c "[s]leep 1000"'], {
      tolerate: true
    })
    expect(left.trim()).toBe('0')
    await step.post()
    expect(existsSync(dirname(result.outputs['ssh-config'] ?? ''))).toBe(false)
  })

  test('a working directory that is not there', async () => {
    const step = job.step({ board, sync: 'none', run: 'true', 'working-directory': '/not/there' })
    const result = await step.main()
    expect(result.outputs['outcome']).toBe('bad-input')
    expect(errors(result)).toEqual([
      expect.stringMatching(/`working-directory` names \/not\/there, which does not exist in the guest/)
    ])
    await step.post()
  })
})
