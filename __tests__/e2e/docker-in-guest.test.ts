import { RunnerJob } from '../kit/runner'

jest.setTimeout(2_400_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

test("Debian's docker.io starts in a Debian guest on virt, and runs a container made from scratch", async () => {
  const run = [
    'sudo apt-get -q update',
    // docker.io recommends apparmor: Debian's kernel has it switched on, and then Docker insists on its tools.
    'sudo apt-get -q -y install --no-install-recommends docker.io apparmor iptables busybox-static',
    'mkdir box && cp /bin/busybox box/',
    'printf "FROM scratch\\nCOPY busybox /bin/busybox\\nENTRYPOINT [\\"/bin/busybox\\"]\\n" > box/Dockerfile',
    'sudo docker build -t box box',
    'sudo docker run --rm box echo "hello from a container"',
    // Its own network, bridged and translated by the guest's kernel.
    'sudo docker run --rm box ip -4 addr show eth0',
    'sudo docker info --format "{{.Driver}} {{.Architecture}}"'
  ].join('\n')
  const inputs = { image: 'debian-arm64:bookworm', board: 'virt', memory: '2G', 'boot-timeout': '15m', sync: 'none' }
  const step = job.step({ ...inputs, run: `set -e\n${run}` })
  const { code, stdout, log } = await step.main()
  await step.post()
  expect([code, log]).toEqual([0, expect.any(String)])
  expect(stdout).toMatch(/^hello from a container$/m)
  expect(stdout).toMatch(/inet 172\.17\.0\.\d+/)
  expect(stdout).toMatch(/^overlay2 aarch64$/m)
})
