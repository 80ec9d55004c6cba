import type { Building } from '../../../src/inputs'
import { ScriptFailure } from '../../../src/report/errors'
import {
  buildArguments,
  chooseBuilder,
  createBuilderArguments,
  isNewEnough,
  readBuilder,
  readMetadata,
  type BuilderRequest
} from '../../../src/usermode/build/argv'
import { BuildProgress } from '../../../src/usermode/build/failure'

const nothing: Building = {
  ...{ file: undefined, tags: [], args: {}, secrets: [], target: undefined, push: false, load: false },
  ...{ outputs: [], cacheFrom: [], cacheTo: [], builder: undefined }
}

describe('arguments of Buildx', () => {
  const plan = { context: '/w/app', platforms: ['linux/arm64'], builder: undefined, metadata: '/run/m.json' }

  test('are few if little is asked for', () => {
    expect(buildArguments({ ...plan, how: nothing })).toEqual([
      ...['buildx', 'build', '--progress', 'plain', '--metadata-file', '/run/m.json'],
      ...['--platform', 'linux/arm64', '--', '/w/app']
    ])
  })

  test('have all that is asked for', () => {
    const how: Building = {
      ...{ file: '/w/D', tags: ['a:1', 'b:2'], args: { X: '1 2' }, secrets: ['id=t,env=T'], target: 'final' },
      ...{ push: true, load: true, outputs: ['type=local,dest=o'], cacheFrom: ['type=gha'], cacheTo: ['type=gha'] },
      builder: 'mine'
    }
    const args = buildArguments({ ...plan, platforms: ['linux/arm64', 'linux/arm/v7'], builder: 'mine', how })
    expect(args.slice(6)).toEqual([
      ...['--builder', 'mine', '--platform', 'linux/arm64,linux/arm/v7', '--file', '/w/D', '--target', 'final'],
      ...['--tag', 'a:1', '--tag', 'b:2', '--build-arg', 'X=1 2', '--secret', 'id=t,env=T'],
      ...['--output', 'type=local,dest=o', '--cache-from', 'type=gha', '--cache-to', 'type=gha'],
      ...['--push', '--load', '--', '/w/app']
    ])
  })
})

describe('the builder', () => {
  const docker = { name: 'default', driver: 'docker' }
  const request: BuilderRequest = {
    ...{ how: nothing, platforms: ['linux/arm64'], current: docker, keepsLists: false, own: 'pi-qemu-run-1' }
  }
  const several = ['linux/arm64', 'linux/arm/v7']

  test.each([
    ['the one asked for', { how: { ...nothing, builder: 'mine' } }, { builder: 'mine', isNew: false }],
    ["the engine's own for one platform", {}, { builder: undefined, isNew: false }],
    [
      "the engine's own where it keeps lists",
      { platforms: several, keepsLists: true },
      { builder: undefined, isNew: false }
    ],
    [
      'the current one of another driver',
      { platforms: several, current: { name: 'b', driver: 'docker-container' } },
      { builder: undefined, isNew: false }
    ],
    ['a new one for several platforms', { platforms: several }, { builder: 'pi-qemu-run-1', isNew: true }],
    [
      'a new one for an archive',
      { how: { ...nothing, outputs: ['type=oci,dest=a'] } },
      { builder: 'pi-qemu-run-1', isNew: true }
    ],
    [
      'a new one to fill a cache',
      { how: { ...nothing, cacheTo: ['type=gha'] } },
      { builder: 'pi-qemu-run-1', isNew: true }
    ],
    [
      'none for a cache in the image',
      { how: { ...nothing, cacheTo: ['type=inline'] } },
      { builder: undefined, isNew: false }
    ]
  ] as const)('is %s', (_, more, choice) => {
    expect(chooseBuilder({ ...request, ...more })).toMatchObject(choice)
  })

  test('of our own is on the network of this host for a registry on it only', () => {
    const args = (tag: string): string => createBuilderArguments('b', { ...nothing, tags: [tag] }).join(' ')
    expect(args('ghcr.io/me/app:1')).toBe('buildx create --name b --driver docker-container')
    for (const tag of ['localhost:5000/app:1', '127.0.0.1:5000/app'])
      expect(args(tag)).toBe('buildx create --name b --driver docker-container --driver-opt network=host')
  })

  test('that is the current one is read from what Buildx says', () => {
    const text =
      'Name:          default\nDriver:        docker\nLast Activity: 2026-11-21\n\nNodes:\nName:     default\n'
    expect(readBuilder(text)).toEqual(docker)
    expect(readBuilder('ERROR: no builder')).toBeUndefined()
  })
})

test('Buildx before 0.6 is too old', () => {
  const versions = ['v0.5.1-docker 11057da', 'v0.6.0 x', '0.13.1+ds1 0.13.1+ds1-3', 'v0.29.1 y', 'v1.0.0 z', 'v?']
  expect(versions.map(text => isNewEnough(`github.com/docker/buildx ${text}`))).toEqual([
    ...[false, true, true, true, true, true]
  ])
})

test('digest and image ID come from the metadata', () => {
  const [digest, config] = ['sha256:aa', 'sha256:bb']
  expect(
    readMetadata(JSON.stringify({ 'containerimage.digest': digest, 'containerimage.config.digest': config }))
  ).toEqual({ digest, imageId: config })
  expect(readMetadata(JSON.stringify({ 'containerimage.digest': digest }))).toEqual({ digest, imageId: digest })
  expect(readMetadata('{}')).toEqual({ digest: undefined, imageId: undefined })
})

describe('a build that failed', () => {
  const progress = (...lines: readonly string[]): BuildProgress => {
    const followed = new BuildProgress()
    for (const line of lines) followed.add(line)
    return followed
  }
  const process = 'process "/bin/sh -c make" did not complete successfully: exit code: '

  test('tells the first step that failed, its status and its own last lines', () => {
    const failure = progress(
      '#10 [linux/arm64 2/4] RUN make',
      '#10 0.665 cc -c a.c',
      '#10 ...',
      '',
      '#12 [linux/arm/v7 2/4] RUN make',
      ...Array.from({ length: 30 }, (_, at) => `#12 ${at}.5 line ${at}`),
      '#12 30.1 a.c:1: error: no such thing',
      `#12 ERROR: ${process}2`,
      '#10 [linux/arm64 2/4] RUN make',
      '#10 8.377 done',
      '#10 CANCELED',
      '------',
      'Dockerfile:3',
      `ERROR: failed to solve: ${process}2`
    ).failure(1)
    expect(failure).toBeInstanceOf(ScriptFailure)
    expect(failure).toMatchObject({ exitCode: 2, outcome: 'script-failed' })
    const [head, ...lines] = failure.details.symptom.split('\n')
    expect(head).toBe('the build failed in [linux/arm/v7 2/4] RUN make, with status 2:')
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([20, '  line 11', '  a.c:1: error: no such thing'])
  })

  test('says what a signal means', () => {
    const failure = progress('#5 [2/2] RUN ./app', `#5 ERROR: ${process}132`).failure(1)
    expect(failure.details.cause).toMatch(/^SIGILL/)
  })

  test.each([
    [
      '127.0.0.1:1/a: failed to resolve source metadata: no match for platform in manifest: not found',
      /base image is not made/
    ],
    ['failed to read dockerfile: open Dockerfile: no such file or directory', /no such Dockerfile/],
    ['failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF', /went away/],
    ['failed to push: push access denied, repository does not exist', /wants a login/],
    ['write /x: no space left on device', /disk is full/]
  ] as const)('for another reason than a step: %s', (words, cause) => {
    const { details, outcome } = progress(
      '#1 [internal] load build definition',
      `ERROR: failed to solve: ${words}`
    ).failure(1)
    expect(outcome).toBe('host-failed')
    expect(details.symptom).toBe(`the build failed (status 1): failed to solve: ${words}`)
    expect(details.cause).toMatch(cause)
  })
})
