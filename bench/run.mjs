// Measures what pi-qemu itself costs on the host: `npm run bench`. Prints a table and writes bench/results/latest.json.
// Every figure is a median; each ratio is taken from runs of the same session.
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cli = join(root, 'dist/cli/index.js')
const scratch = mkdtempSync(join(tmpdir(), 'pi-qemu-bench-'))
const home = join(scratch, 'home')
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
/** Kernel clock ticks per second, the unit of start times in /proc. */
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const seconds = since => Number(process.hrtime.bigint() - since) / 1e9

/** Runs the CLI; `onOutput(stdout)` sees the script's output as it comes; the peak memory of the process itself in MiB. */
function run(args, onOutput = () => {}) {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint()
    const child = spawn(process.execPath, [cli, 'run', '--verbose', ...args], {
      cwd: scratch,
      env: { ...process.env, PI_QEMU_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let [stdout, stderr, peak] = ['', '', 0]
    const watch = setInterval(() => {
      try {
        peak = Math.max(
          peak,
          Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
        )
      } catch {
        // it has just ended
      }
    }, 20)
    child.stdout.on('data', data => {
      stdout += data
      onOutput(stdout)
    })
    child.stderr.on('data', data => (stderr += data))
    child.on('close', code => {
      clearInterval(watch)
      if (code === 0) resolve({ stdout, stderr, peak, wall: seconds(started) })
      else reject(new Error(`pi-qemu ended with ${code}:\n${stderr}`))
    })
  })
}

/** From this process's start to QEMU's, both by the kernel's own clock. */
function startToQemu() {
  const [folder] = readdirSync(join(home, 'runs'))
  const entries = readFileSync(join(home, 'runs', folder, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const start = kind => Number(entries.find(entry => entry.kind === kind).process.startTime)
  return (start('process') - start('owner')) / ticks
}

async function overhead() {
  const workspace = join(scratch, 'workspace')
  mkdirSync(workspace)
  const [before, after] = [[], []]
  await run(['--board', 'virt', '--sync', 'none', '--', 'true']) // warms the cache
  for (let round = 0; round < rounds; round++) {
    let ended
    await run(['--board', 'virt', '--sync', 'none', '--run', 'sleep 1; echo END'], stdout => {
      if (ended !== undefined || !stdout.includes('END')) return
      ended = process.hrtime.bigint()
      before.push(startToQemu())
    })
    after.push(seconds(ended))
  }
  return { 'start to QEMU exec (s)': median(before), 'script end to exit (s)': median(after) }
}

/** A card image of 3 GiB, a third of it with data that compresses as file systems do; xz as the vendor packs it. */
function largeImage() {
  const image = join(scratch, 'large.img')
  const [key] = readdirSync(join(home, 'images'))
  execFileSync('cp', ['--sparse=always', join(home, 'images', key, 'disk.img'), image])
  const file = openSync(image, 'r+')
  const library = readFileSync(process.execPath)
  const MiB = 1024 * 1024
  for (let at = 512 * MiB, salt = 0; at < 1536 * MiB; at += library.length) {
    // The same library again and again would compress to nothing: change a byte in each page.
    for (let page = 0; page < library.length; page += 64) library[page] = (library[page] + ++salt) % 256
    writeSync(file, library, 0, library.length, at)
  }
  ftruncateSync(file, 3072 * MiB)
  closeSync(file)
  execFileSync('xz', ['-1', '-T0', '-f', '-k', image])
  rmSync(image)
  return `${image}.xz`
}

async function unpacking() {
  const packed = largeImage()
  const [ours, theirs, peaks] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    rmSync(join(home, 'images'), { recursive: true, force: true })
    rmSync(join(home, 'sources'), { recursive: true, force: true })
    const { stderr, peak } = await run(['--image', packed, '--board', 'virt', '--sync', 'none', '--', 'true'])
    ours.push(Number(/^\s*image: ([\d.]+) s/m.exec(stderr)[1]))
    peaks.push(peak)
    const started = process.hrtime.bigint()
    execFileSync('sh', ['-c', 'xz -dc -T0 "$1" | sha256sum', 'sh', packed])
    theirs.push(seconds(started))
  }
  return {
    'image in place, 3 GiB .xz (s)': median(ours),
    'xz -dc -T0, piped to sha256sum (s)': median(theirs),
    'ratio, round by round': median(ours.map((value, round) => value / theirs[round])),
    'peak memory of our process (MiB)': Math.max(...peaks)
  }
}

try {
  const figures = { ...(await overhead()), ...(await unpacking()) }
  const limits = {
    'start to QEMU exec (s)': 3,
    'script end to exit (s)': 3,
    'ratio, round by round': 1.2,
    'peak memory of our process (MiB)': 200
  }
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, ${rounds} rounds`)
  console.log('| figure | median | at most |\n|---|---:|---:|')
  for (const [name, value] of Object.entries(figures))
    console.log(`| ${name} | ${value.toFixed(2)} | ${limits[name] ?? ''} |`)
  mkdirSync(join(root, 'bench/results'), { recursive: true })
  writeFileSync(
    join(root, 'bench/results/latest.json'),
    JSON.stringify({ date: new Date().toISOString(), node: process.version, rounds, figures }, undefined, 2)
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
