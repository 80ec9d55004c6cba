import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, open, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { basePlatforms, baseRoot, type BaseArchitecture } from './docker-bases'
import { dockerPrograms } from './docker-programs'
import { tracesRemover } from './docker-traces'
import { run } from './run'

export interface EngineOptions {
  /** Whether it keeps images as containerd does, and so builds for several platforms at once; it does by default. */
  readonly containerdImages?: boolean
  /** Whether it looks for Docker Hub's images in the registry beside it first; it does not by default. */
  readonly mirrorsHub?: boolean
}

/** A real Docker engine, and a registry beside it, with folders of their own: nothing of the host's Docker is used. */
export class DockerEngine {
  private constructor(
    private readonly scratch: string,
    private readonly programs: string,
    private readonly removeTraces: () => Promise<void>,
    private readonly port: number
  ) {}

  /** Starts both, which takes about two seconds. */
  static async start(options: EngineOptions = {}): Promise<DockerEngine> {
    const programs = await dockerPrograms()
    const scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-docker-'))
    const engine = new DockerEngine(scratch, programs, await tracesRemover(), await freePort())
    for (const folder of ['config/cli-plugins', 'registry', 'run'])
      await mkdir(join(scratch, folder), { recursive: true })
    await symlink(join(programs, 'docker-buildx'), join(scratch, 'config/cli-plugins/docker-buildx'))
    // JSON is YAML.
    const registry = {
      version: 0.1,
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: join(scratch, 'registry') } },
      http: { addr: `127.0.0.1:${engine.port}` }
    }
    await writeFile(join(scratch, 'registry.yml'), JSON.stringify(registry))
    try {
      await engine.launch('docker-registry', ['serve', join(scratch, 'registry.yml')])
      await engine.startDaemon(options)
    } catch (error) {
      await engine.stop()
      throw error
    }
    return engine
  }

  /** Variables with which a step, or a command, finds this engine. */
  get env(): Readonly<Record<string, string>> {
    return {
      PATH: `${this.programs}:${process.env['PATH'] ?? ''}`,
      DOCKER_HOST: `unix://${this.scratch}/run/docker.sock`,
      DOCKER_CONFIG: join(this.scratch, 'config')
    }
  }

  /** Where its clients keep what they know: builders, for one. */
  get buildersFolder(): string {
    return join(this.scratch, 'config/buildx/instances')
  }

  /** Address of the registry, as the first part of an image's name. */
  get registry(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Runs a `docker` command, and returns its standard output. */
  docker(...args: readonly string[]): Promise<string> {
    return run('docker', args, { env: this.env })
  }

  /** Names of all containers that it has. */
  containers(): Promise<readonly string[]> {
    return this.list('container', 'ls', '--all', '--format', '{{.Names}}')
  }

  /** Names and IDs of all images that it has. */
  images(): Promise<readonly string[]> {
    return this.list('image', 'ls', '--all', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')
  }

  private async list(...args: readonly string[]): Promise<readonly string[]> {
    return (await this.docker(...args))
      .split('\n')
      .filter(line => line !== '')
      .sort()
  }

  /**
   * Brings base images to the registry, `debian:arm64` and so on, and `debian:bookworm` for all of their platforms.
   * The engine itself keeps none of them.
   */
  async loadBases(architectures: readonly BaseArchitecture[]): Promise<void> {
    const tags: string[] = []
    for (const architecture of architectures) {
      const tag = `${this.registry}/debian:${architecture}`
      await this.docker('import', '--platform', basePlatforms[architecture], await baseRoot(architecture), tag)
      await this.docker('push', '--quiet', tag)
      tags.push(tag)
    }
    await this.docker('buildx', 'imagetools', 'create', '--tag', `${this.registry}/debian:bookworm`, ...tags)
    await this.docker('image', 'rm', ...tags)
  }

  /** With `mirrorsHub`: makes the base images an image of Docker Hub's, as `library/debian:bookworm-slim`. */
  async serveAsHubs(name: string): Promise<void> {
    await this.docker(
      ...['buildx', 'imagetools', 'create', '--tag', `${this.registry}/${name}`],
      `${this.registry}/debian:bookworm`
    )
  }

  /** Whether a line of the host's state is about its own affairs. */
  owns(line: string): boolean {
    return line.includes(this.scratch) && !line.includes(this.buildersFolder)
  }

  /** Starts the engine; again, after {@link kill}. */
  async startDaemon({ containerdImages = true, mirrorsHub = false }: EngineOptions = {}): Promise<void> {
    const { scratch } = this
    const settings = {
      features: { 'containerd-snapshotter': containerdImages },
      ...(mirrorsHub && { 'registry-mirrors': [`http://${this.registry}`] })
    }
    await writeFile(join(scratch, 'daemon.json'), JSON.stringify(settings))
    await this.launch('dockerd', [
      ...['--config-file', join(scratch, 'daemon.json'), '--data-root', join(scratch, 'data')],
      ...['--exec-root', join(scratch, 'run'), '--pidfile', join(scratch, 'run/docker.pid')],
      ...['--host', `unix://${scratch}/run/docker.sock`]
    ])
    const deadline = Date.now() + 60_000
    while (Date.now() < deadline) {
      const ready = await this.docker('version').then(
        () => true,
        () => false
      )
      if (ready) return
      await sleep(100)
    }
    throw new Error(`dockerd is not ready: ${(await readFile(join(scratch, 'dockerd.log'), 'utf8')).slice(-3000)}`)
  }

  /** Ends the engine as a crash does: what its containers run goes on, until it is started again. */
  async kill(): Promise<void> {
    const crashing = /^\/(dockerd|containerd)$/
    for (const pid of await this.pids(crashing)) signal(pid, 'SIGKILL')
    await this.waitForEnd(crashing)
    // Where nobody buries the dead, as in some containers, they would pass for alive.
    for (const name of ['docker.pid', 'containerd/containerd.pid'])
      await rm(join(this.scratch, 'run', name), { force: true })
  }

  /** Ends both, and removes all that they made. */
  async stop(): Promise<void> {
    const containers = await this.docker('ps', '--all', '--quiet').catch(() => '')
    const ids = containers.split('\n').filter(id => id !== '')
    if (ids.length > 0) await this.docker('rm', '--force', ...ids)
    for (const wanted of ['SIGTERM', 'SIGKILL'] as const) {
      for (const pid of await this.pids(/./)) signal(pid, wanted)
      await this.waitForEnd(/./)
    }
    await this.removeTraces()
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(line => line.split(' ')[4] ?? '')
    for (const mount of mounts.filter(path => path.startsWith(`${this.scratch}/`)).reverse())
      await run('umount', ['--lazy', mount], { tolerate: true })
    await rm(this.scratch, { recursive: true, force: true, maxRetries: 5 })
  }

  private async launch(program: string, args: readonly string[]): Promise<void> {
    const log = await open(join(this.scratch, `${program}.log`), 'a')
    // Its own session: what ends a test's process group must not end it half-way.
    spawn(join(this.programs, program), args, {
      ...{ detached: true, stdio: ['ignore', log.fd, log.fd], cwd: this.scratch },
      env: { ...process.env, ...this.env }
    }).unref()
    await log.close()
  }

  /** Processes of the kit's programs that are about this engine. */
  private async pids(name: RegExp): Promise<readonly number[]> {
    const found: number[] = []
    for (const pid of (await readdir('/proc')).filter(entry => /^\d+$/.test(entry))) {
      const program = await readlink(`/proc/${pid}/exe`).catch(() => '')
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      const ours = program.startsWith(`${this.programs}/`) && command.includes(this.scratch)
      if (ours && name.test(program.slice(this.programs.length))) found.push(Number(pid))
    }
    return found
  }

  private async waitForEnd(name: RegExp): Promise<void> {
    const deadline = Date.now() + 20_000
    while ((await this.pids(name)).length > 0 && Date.now() < deadline) await sleep(100)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // ended meanwhile
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise<unknown>(resolve => {
    server.close(resolve)
  })
  return port
}
