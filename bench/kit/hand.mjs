// The peer: QEMU as a person starts it by hand, and a wait for SSH.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, run } from './host.mjs'
import { handImage } from './images.mjs'
import { secondsSince } from './session.mjs'

/** How long a boot may take by hand, in s. */
const patience = 900

/** Starts QEMU with a monitor and SSH forwarded; `args` is given the netdev's options. */
async function startQemu(session, name, args) {
  const port = await freePort()
  const monitor = session.path(`${name}.monitor`)
  const words = openSync(session.path(`${name}.words`), 'w')
  const start = process.hrtime.bigint()
  session.goOn()
  const child = spawn(
    'qemu-system-aarch64',
    [
      ...[
        '-display',
        'none',
        '-serial',
        `file:${session.path(`${name}.log`)}`,
        '-qmp',
        `unix:${monitor},server=on,wait=off`
      ],
      ...args(`user,id=net0,hostfwd=tcp:127.0.0.1:${port}-:22`)
    ],
    { stdio: ['ignore', 'ignore', words] }
  )
  closeSync(words)
  let ended = false
  const closed = new Promise(resolve => child.on('close', resolve)).then(() => (ended = true))
  const stop = async () => {
    if (!ended) child.kill('SIGKILL')
    await closed
  }
  session.atEnd(stop)
  return { name, port, monitor, start, closed, stop, isUp: () => !ended }
}

/** Arguments of ssh for a guest by hand: no question, no waiting on names. */
export const sshArguments = ({ port, key }) => [
  ...['-i', key, '-p', String(port), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
  ...['-o', 'LogLevel=ERROR', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=120', 'root@127.0.0.1']
]

/** Whether an SSH server greets within a second: QEMU itself accepts connections long before there is one. */
function greets(port) {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1')
    const end = greeted => {
      socket.destroy()
      resolve(greeted)
    }
    socket.setTimeout(1000, () => end(false))
    socket
      .on('data', () => end(true))
      .on('close', () => end(false))
      .on('error', () => end(false))
  })
}

/** Waits until `ssh … true` succeeds; returns the seconds since QEMU was started. Looks often, to the peer's advantage. */
async function untilSsh(session, qemu, key) {
  for (;;) {
    if (!qemu.isUp())
      throw new Error(`QEMU ended before SSH answered: ${readFileSync(session.path(`${qemu.name}.words`), 'utf8')}`)
    if (secondsSince(qemu.start) > patience) throw new Error(`no SSH after ${patience} s`)
    const login = () => run('ssh', [...sshArguments({ port: qemu.port, key }), 'true'])
    const isIn =
      (await greets(qemu.port)) &&
      (await login().then(
        () => true,
        () => false
      ))
    if (isIn) return secondsSince(qemu.start)
    await sleep(50)
  }
}

/** The classic command line for a Pi 3, on a fresh copy of the image. */
async function startClassic(session, { disk, files }) {
  const copy = session.path('cold-by-hand.img')
  await run('cp', ['--sparse=always', disk, copy])
  const append =
    'rw earlyprintk loglevel=8 console=ttyAMA0,115200 dwc_otg.lpm_enable=0 dwc_otg.fiq_fsm_enable=0 root=/dev/mmcblk0p2 rootdelay=1'
  return startQemu(session, 'cold-by-hand', netdev => [
    ...['-machine', 'raspi3b', '-dtb', files.dtb, '-kernel', files.kernel, '-initrd', files.initrd],
    ...['-drive', `if=sd,format=raw,file=${copy}`, '-append', append],
    ...['-netdev', netdev, '-device', 'usb-net,netdev=net0']
  ])
}

/** Seconds until SSH answers there. */
export async function coldByHand(session) {
  const hand = await handImage(session)
  const qemu = await startClassic(session, hand)
  try {
    return await untilSsh(session, qemu, hand.key)
  } finally {
    await qemu.stop()
  }
}

/** A guest by hand, on `raspi3b` or `virt`, once SSH answers: the arguments for ssh. `stop` it. */
export async function upByHand(session, board) {
  const hand = await handImage(session)
  const qemu = await (board === 'virt'
    ? startVirt(session, hand, await copied(session, hand), [])
    : startClassic(session, hand))
  await untilSsh(session, qemu, hand.key)
  return { ssh: sshArguments({ port: qemu.port, key: hand.key }), stop: qemu.stop }
}

async function copied(session, { disk }) {
  const copy = session.path('virt-by-hand.qcow2')
  await run('qemu-img', ['convert', '-O', 'qcow2', disk, copy])
  return copy
}

/** Name of the snapshot in the disk of {@link snapshotByHand}. */
const snapshot = 'booted'

function startVirt(session, { files }, disk, more) {
  return startQemu(session, 'virt-by-hand', netdev => [
    ...['-machine', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', '1024'],
    ...['-kernel', files.kernel, '-initrd', files.initrd, '-append', 'rw console=ttyAMA0,115200 root=/dev/vda2'],
    ...['-drive', `if=none,id=disk,format=qcow2,file=${disk}`, '-device', 'virtio-blk-pci,drive=disk'],
    ...['-netdev', netdev, '-device', 'virtio-net-pci,netdev=net0,romfile=', ...more]
  ])
}

/** A booted `virt`, saved with QEMU's own savevm once all its units are up; returns the disk. Not measured. */
function snapshotByHand(session) {
  return session.oncePerSession('snapshot by hand', async () => {
    session.say('Booting virt by hand, for a snapshot')
    const hand = await handImage(session)
    const disk = session.path('snapshot-by-hand.qcow2')
    await rename(await copied(session, hand), disk)
    const qemu = await startVirt(session, hand, disk, [])
    try {
      await untilSsh(session, qemu, hand.key)
      const state = 'systemctl is-system-running --wait || true'
      await run('ssh', [...sshArguments({ port: qemu.port, key: hand.key }), state])
      await monitorCommand(qemu.monitor, `savevm ${snapshot}`)
    } finally {
      await qemu.stop()
    }
    return { hand, disk }
  })
}

/** QEMU's own -loadvm of that snapshot: seconds until SSH answers. */
export async function restoredByHand(session) {
  const { hand, disk } = await snapshotByHand(session)
  const qemu = await startVirt(session, hand, disk, ['-loadvm', snapshot])
  try {
    return await untilSsh(session, qemu, hand.key)
  } finally {
    await qemu.stop()
  }
}

/** Gives QEMU's human monitor one command, over QMP (docs/interop/qmp-spec). */
function monitorCommand(path, command) {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path).setEncoding('utf8').on('error', reject)
    const ask = (execute, more) => socket.write(`${JSON.stringify({ execute, ...more })}\n`)
    const answers = []
    createInterface({ input: socket }).on('line', line => {
      const answer = JSON.parse(line)
      if ('QMP' in answer) ask('qmp_capabilities')
      else if (!('event' in answer) && answers.push(answer) === 1)
        ask('human-monitor-command', { arguments: { 'command-line': command } })
      else if (answers.length === 2) {
        socket.destroy()
        if (answer.return === '') resolve()
        else reject(new Error(`${command}: ${line}`))
      }
    })
  })
}
