import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseInputs, type Inputs, type RawInputs } from '../../../src/inputs'
import { BadInput } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const workspace = scratchFolder().root
for (const name of ['root.tar', 'key.pem', 'Dockerfile.pi']) writeFileSync(join(workspace, name), 'x')
mkdirSync(join(workspace, 'app'))

const parse = (raw: RawInputs, env: NodeJS.ProcessEnv = {}): Inputs =>
  parseInputs({ mode: 'user', ...raw }, { env, workspace })

function faultsOf(raw: RawInputs, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    parse(raw, env)
    return []
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
}

describe('container', () => {
  const of = (container: string): Inputs['container'] => parse({ container, run: 'true' }).container

  test('is a name, or a file where it looks like one', () => {
    expect(of(' 127.0.0.1:5000/debian:bookworm@sha256:ab ')).toEqual({
      kind: 'name',
      name: '127.0.0.1:5000/debian:bookworm@sha256:ab'
    })
    for (const text of ['root.tar', './root.tar', join(workspace, 'root.tar')])
      expect(of(text)).toEqual({ kind: 'file', path: join(workspace, 'root.tar') })
  })

  test.each([
    ['--privileged', /^input `container` is “--privileged”; valid: the name of a container image/],
    ['a b', /^input `container` is “a b”/],
    ['missing.tar.xz', /^input `container` names \S+missing\.tar\.xz, which does not exist$/]
  ])('refuses %s', (container, fault) => {
    expect(faultsOf({ container, run: 'true' })[0]).toMatch(fault)
  })
})

test('every input of a build arrives', () => {
  const env = { TOKEN: 'hush', VERSION: '7' }
  const { build, building } = parse(
    {
      ...{ build: ' app ', file: 'Dockerfile.pi', tags: 'a:1, b/c:2\nd:3', 'build-args': 'X=1\nVERSION' },
      ...{ secrets: 'id=token,env=TOKEN\nid=key,src=key.pem\nid=TOKEN', target: 'final', push: 'true', load: 'false' },
      ...{ 'cache-from': 'type=gha', 'cache-to': 'type=gha,mode=max', outputs: '', builder: 'mine' }
    },
    env
  )
  expect(build).toBe(join(workspace, 'app'))
  expect(building).toEqual({
    ...{ file: join(workspace, 'Dockerfile.pi'), tags: ['a:1', 'b/c:2', 'd:3'], args: { X: '1', VERSION: '7' } },
    secrets: ['id=token,env=TOKEN', `id=key,src=${join(workspace, 'key.pem')}`, 'id=TOKEN,env=TOKEN'],
    ...{ target: 'final', push: true, load: false, outputs: [] },
    ...{ cacheFrom: ['type=gha'], cacheTo: ['type=gha,mode=max'], builder: 'mine' }
  })
})

describe('faults of a build', () => {
  test.each([
    [{ build: 'nowhere' }, /^input `build` names \S+nowhere, which does not exist$/],
    [{ build: 'root.tar' }, /^input `build` names \S+root\.tar, which is not a folder$/],
    [{ build: 'app', tags: '-x' }, /^input `tags` is “-x”/],
    [{ build: 'app', target: '--x' }, /^input `target` is “--x”/],
    [
      { build: 'app', secrets: 'id=a,env=NONE' },
      'input `secrets` takes a from the variable NONE, which this step does not have'
    ],
    [{ build: 'app', run: 'true' }, /^inputs `build` and `run` do not go together/],
    [{ build: 'app', push: 'true' }, 'input `push` needs `tags`, which name the registry'],
    [
      { build: 'app', tags: 'a', push: 'true', load: 'true', platforms: 'linux/arm64,linux/arm/v7' },
      /^inputs `push` and `load` do not go together for several `platforms`/
    ],
    [{ build: 'app', load: 'true', outputs: 'type=local,dest=x' }, /^inputs `load` and `outputs` do not go together/],
    [{ build: 'app', platforms: 'all' }, /^input `platforms` is “all”, and base images are not for all/],
    [{ build: 'app', prepare: 'true' }, "`prepare`: for a Pi's `image`, which `build` has no use for"],
    [{ tags: 'a', target: 'b' }, '`tags`, `target`: for `build`, and there is none'],
    [{ container: 'a' }, 'input `container` needs `run`, a script to run in it'],
    [{ container: 'a', run: 'true', sync: 'in' }, /^input `sync` is “in”, and a container has the workspace itself/],
    [{ container: 'a', run: 'true', platforms: 'linux/arm64,linux/arm/v7' }, /^input `platforms` has several/],
    [{ container: 'a', run: 'true', 'copy-out': '/etc/x' }, /^`copy-out`: for a Pi's `image`/],
    [
      { mode: 'system', container: 'a', push: 'true' },
      '`container`, `push`: for `mode: user`, and the mode is “system”'
    ]
  ] as const)('%j', (raw, fault) => {
    const faults = faultsOf(raw)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toEqual(typeof fault === 'string' ? fault : expect.stringMatching(fault))
  })

  test('a secret itself is never repeated', () => {
    expect(faultsOf({ build: 'app', secrets: 'id=a,value=hush' })).toEqual([
      'input `secrets` has a line that names no secret; valid: id=NAME,env=VARIABLE or id=NAME,src=FILE'
    ])
  })
})
