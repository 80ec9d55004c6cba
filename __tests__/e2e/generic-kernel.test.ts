import { mkdir } from 'node:fs/promises'
import { piKernelImage, piRelease } from '../kit/pi-kernel-image'
import { RunnerJob } from '../kit/runner'

jest.setTimeout(1_200_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

test("an image with a Raspberry Pi kernel boots on virt with Debian's kernel, whose modules load", async () => {
  await mkdir(job.workspace, { recursive: true })
  const wanted = ['overlay', 'br_netfilter', 'veth', 'nf_tables', 'xt_MASQUERADE', 'loop', 'fuse', 'vfat', 'tun', '9p']
  const run = [
    'echo "kernel=$(uname -r)"',
    `for module in ${wanted.join(' ')}; do sudo modprobe $module && echo "loaded=$module"; done`,
    'mkdir -p /tmp/a /tmp/b /tmp/w /tmp/m',
    'sudo mount -t overlay -o lowerdir=/tmp/a,upperdir=/tmp/b,workdir=/tmp/w overlay /tmp/m && echo mounted',
    'touch "/lib/modules/$(uname -r)/x" 2>/dev/null || echo read-only',
    // The image keeps the modules of its own kernel.
    'ls /lib/modules | wc -l'
  ].join('\n')
  const step = job.step({ image: await piKernelImage(), board: 'virt', run, 'boot-timeout': '10m' })
  const { code, stdout, log } = await step.main()
  await step.post()
  expect([code, log]).toEqual([0, expect.stringMatching(/the kernel is Debian's 6\.12\.\S+, as the image has none/)])
  expect(stdout).toMatch(/^kernel=6\.12\.\S+-arm64$/m)
  expect(stdout).not.toContain(piRelease)
  for (const module of wanted) expect(stdout).toContain(`loaded=${module}\n`)
  expect(stdout).toMatch(/mounted\nread-only\n2\n/)
})
