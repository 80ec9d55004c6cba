import { mkdirSync, mkdtempSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { boardNames } from '../../../src/boards'
import {
  architectureOf,
  definitions,
  officialCatalogue,
  parseInputs,
  type Inputs,
  type RawInputs
} from '../../../src/inputs'
import { BadInput } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const workspace = scratchFolder().root
for (const name of ['pi.img', 'kernel8.img', 'initramfs8', 'pi3.dtb', 'key']) writeFileSync(join(workspace, name), 'x')
writeFileSync(join(workspace, 'empty.img'), '')
mkdirSync(join(workspace, 'folder'))

const parse = (raw: RawInputs, env: NodeJS.ProcessEnv = {}): Inputs => parseInputs(raw, { env, workspace })

/** The faults of a request; none if it is accepted. */
function faultsOf(raw: RawInputs, place = workspace): readonly string[] {
  try {
    parseInputs(raw, { env: {}, workspace: place })
    return []
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
}

const nothingToBuild: Inputs['building'] = {
  ...{ file: undefined, tags: [], args: {}, secrets: [], target: undefined, push: false, load: false },
  ...{ outputs: [], cacheFrom: [], cacheTo: [], builder: undefined }
}

const noDebugging: Inputs['debugging'] = {
  ...{ gdb: undefined, monitor: false, serial: 'file', vnc: undefined, onFailure: undefined }
}

const nothingAsked: Inputs = {
  mode: 'system',
  workflow: undefined,
  name: 'pi',
  ...{ reportDir: undefined, bootAnalysis: false, screenshot: false },
  platforms: undefined,
  qemuCpu: {},
  setuid: false,
  sysroot: undefined,
  ...{ container: undefined, build: undefined, building: nothingToBuild },
  image: { kind: 'mini', name: 'mini-arm64', architecture: 'arm64' },
  imageSha256: undefined,
  catalogUrl: officialCatalogue,
  board: undefined,
  cpu: undefined,
  memoryMiB: undefined,
  cpus: undefined,
  clock: undefined,
  firmware: undefined,
  qemu: { kind: 'auto' },
  run: undefined,
  prepare: undefined,
  prepareBoard: undefined,
  shell: undefined,
  user: undefined,
  workingDirectory: undefined,
  env: {},
  sync: 'both',
  syncExclude: [],
  syncGitignore: false,
  copyOut: [],
  ports: [],
  ...{ network: 'user', sshPort: undefined, authorizedKeys: [], listen: '127.0.0.1' },
  append: undefined,
  kernel: undefined,
  initrd: undefined,
  dtb: undefined,
  overlays: [],
  disks: [],
  expect: undefined,
  qemuArgs: [],
  provision: 'auto',
  password: undefined,
  hostname: undefined,
  firstBoot: 'skip',
  diskSize: undefined,
  files: [],
  sshKey: undefined,
  cache: 'auto',
  cacheKeySuffix: undefined,
  cacheMaxSize: 20 * 1024 ** 3,
  snapshot: 'auto',
  boot: 'fast',
  storage: 'auto',
  bootTimeout: 600_000,
  runTimeout: undefined,
  keepRunning: false,
  saveImage: undefined,
  debugging: noDebugging,
  workspace
}

describe('without a word from the user', () => {
  test('everything has its default', () => {
    expect(parse({})).toEqual(nothingAsked)
  })

  test('empty and blank inputs mean the same as absent ones, as GitHub passes them', () => {
    for (const text of ['', '  \n']) {
      expect(parse(Object.fromEntries(definitions.map(({ name }) => [name, text])))).toEqual(nothingAsked)
    }
  })

  test('the defaults that readers are told are those that are taken', () => {
    const told = Object.fromEntries(definitions.map(row => [row.name, row.default]))
    expect(parse(told)).toEqual(nothingAsked)
  })
})

test('every input arrives', () => {
  const raw: Required<RawInputs> = {
    ...{ image: 'https://example.org/pi.img.xz?x=1', 'image-sha256': 'AB'.repeat(32), board: ' virt ' },
    ...{ memory: '2G', cpus: '4', run: '  echo hi\n', shell: ' bash ', user: 'pi', 'working-directory': ' sub ' },
    ...{ env: 'A=1\nB', sync: 'in', 'sync-exclude': 'node_modules\n*.o', ports: '8080:80', append: ' quiet ' },
    ...{ kernel: 'kernel8.img', initrd: 'initramfs8', dtb: '', 'qemu-args': `-d 'a b'`, provision: 'none' },
    ...{ 'catalog-url': 'http://example.org/list.json', cpu: 'max,sve=off', clock: 'icount', firmware: '' },
    ...{ qemu: './key', overlays: '', disks: 'pi.img\nkey:qcow2', expect: '', password: '', hostname: '' },
    ...{ 'first-boot': 'run', 'disk-size': '8G', files: '' },
    ...{
      cache: ' read-only ',
      'ssh-key': 'key',
      'boot-timeout': '90s',
      'run-timeout': '2h',
      'keep-running': 'True',
      'save-image': '',
      name: ' tester ',
      prepare: '',
      'prepare-board': '',
      'sync-gitignore': 'true',
      'copy-out': '/var/log/*.log',
      'cache-key-suffix': ' week-47 ',
      'cache-max-size': '5G',
      snapshot: 'off',
      boot: 'full',
      storage: '',
      // See debugging.test.ts.
      ...{ 'debug-on-failure': '', gdb: '', monitor: '', serial: '', vnc: '' },
      ...{ 'report-dir': ' out/report ', 'boot-analysis': 'true', screenshot: 'TRUE' },
      ...{ mode: ' system ', platforms: '', 'qemu-cpu': '', setuid: ' false ', sysroot: '' },
      // These go with `mode: user`: see containers.test.ts.
      ...{
        container: '',
        build: '',
        file: '',
        tags: '',
        'build-args': '',
        secrets: '',
        target: '',
        push: '',
        load: ''
      },
      ...{ network: '', 'ssh-port': ' 2222 ', 'authorized-keys': '' },
      ...{ outputs: '', 'cache-from': '', 'cache-to': '', builder: '' }
    }
  }
  expect(parse(raw, { B: 'two' })).toEqual({
    ...{ reportDir: join(workspace, 'out/report'), bootAnalysis: true, screenshot: true },
    workflow: undefined,
    ...{ mode: 'system', platforms: undefined, qemuCpu: {}, setuid: false, sysroot: undefined },
    ...{ container: undefined, build: undefined, building: nothingToBuild, debugging: noDebugging },
    image: { kind: 'url', url: 'https://example.org/pi.img.xz?x=1' },
    imageSha256: 'ab'.repeat(32),
    catalogUrl: 'http://example.org/list.json',
    board: 'virt',
    cpu: 'max,sve=off',
    clock: 'icount',
    firmware: undefined,
    qemu: { kind: 'path', path: join(workspace, 'key') },
    overlays: [],
    disks: [
      { path: join(workspace, 'pi.img'), format: 'raw' },
      { path: join(workspace, 'key'), format: 'qcow2' }
    ],
    expect: undefined,
    password: undefined,
    hostname: undefined,
    firstBoot: 'run',
    diskSize: 8 * 1024 ** 3,
    files: [],
    memoryMiB: 2048,
    cpus: 4,
    run: '  echo hi\n',
    shell: 'bash',
    user: 'pi',
    workingDirectory: 'sub',
    env: { A: '1', B: 'two' },
    prepare: undefined,
    prepareBoard: undefined,
    syncGitignore: true,
    copyOut: ['/var/log/*.log'],
    cacheKeySuffix: 'week-47',
    cacheMaxSize: 5 * 1024 ** 3,
    snapshot: 'off',
    boot: 'full',
    storage: 'auto',
    sync: 'in',
    syncExclude: ['node_modules', '*.o'],
    ports: [{ protocol: 'tcp', host: 8080, guest: 80 }],
    ...{ network: 'user', sshPort: 2222, authorizedKeys: [], listen: '127.0.0.1' },
    append: 'quiet',
    kernel: join(workspace, 'kernel8.img'),
    initrd: join(workspace, 'initramfs8'),
    dtb: undefined,
    qemuArgs: ['-d', 'a b'],
    provision: 'none',
    sshKey: join(workspace, 'key'),
    cache: 'read-only',
    bootTimeout: 90_000,
    runTimeout: 7_200_000,
    keepRunning: true,
    name: 'tester',
    saveImage: undefined,
    workspace
  })
})

describe('paths', () => {
  test('that are relative start in the workspace', () => {
    const { image, dtb, saveImage } = parse({ image: 'pi.img', dtb: './pi3.dtb', 'save-image': 'folder/out.img.xz' })
    expect(image).toEqual({ kind: 'file', path: join(workspace, 'pi.img') })
    expect(dtb).toBe(join(workspace, 'pi3.dtb'))
    expect(saveImage).toEqual({ path: join(workspace, 'folder/out.img.xz'), format: 'xz' })
  })

  test('that are absolute stay', () => {
    expect(parse({ kernel: join(workspace, 'kernel8.img') }).kernel).toBe(join(workspace, 'kernel8.img'))
  })

  test.each([
    ['nowhere', 'which does not exist'],
    ['folder', 'which is not a file'],
    ['empty.img', 'which is empty']
  ])('%s cannot be a kernel, and the message says why', (name, why) => {
    expect(faultsOf({ kernel: name })).toEqual([`input \`kernel\` names ${join(workspace, name)}, ${why}`])
  })

  test('a folder to save to has to be there', () => {
    expect(faultsOf({ 'save-image': 'nowhere/pi.img' })).toEqual([
      `input \`save-image\` names a folder that does not exist: ${join(workspace, 'nowhere')}`
    ])
  })
})

describe('the image', () => {
  test.each(['http://localhost/x.img', 'HTTPS://example.org/pi.zip'])('%s is a URL', url => {
    expect(parse({ image: url }).image).toEqual({ kind: 'url', url })
  })

  test('a URL that is none is refused', () => {
    expect(faultsOf({ image: 'https://' })).toEqual(['input `image` is no valid URL: https://'])
  })

  test.each<[string, Inputs['image']]>([
    ['mini-armhf', { kind: 'mini', name: 'mini-armhf', architecture: 'armhf' }],
    ['debian-arm64', { kind: 'debian', name: 'debian-arm64:bookworm', architecture: 'arm64', suite: 'bookworm' }],
    ['debian-armel:trixie', { kind: 'debian', name: 'debian-armel:trixie', architecture: 'armel', suite: 'trixie' }],
    ['raspios-lite-arm64', { kind: 'catalogue', name: 'raspios-lite-arm64', tag: 'latest' }],
    ['ubuntu-arm64:24.04', { kind: 'catalogue', name: 'ubuntu-arm64', tag: '24.04' }],
    ['none', { kind: 'none' }]
  ])('%s is a name', (image, ref) => {
    expect(parse({ image, ...(image === 'none' && { kernel: 'key', board: 'virt' }) }).image).toEqual(ref)
  })

  test('with a name is known to be for an architecture, or not', () => {
    const known = (image: string): string | undefined => architectureOf(parse({ image }).image)
    expect(known('raspios-full-armhf:bookworm')).toBe('armhf')
    expect(known('debian-armel')).toBe('armel')
    expect(known('dietpi')).toBeUndefined()
    expect(known('pi.img')).toBeUndefined()
  })

  test.each(['mini-arm46', 'mini-arm64:bookworm', 'debian-arm64:sid', 'debian-riscv64'])(
    '%s is no image that is built here',
    image => {
      expect(faultsOf({ image })[0]).toMatch(/^input `image` is “.*”; valid names of images built here: mini-arm64, /)
    }
  )

  test('that is neither file nor URL nor a name is refused', () => {
    expect(faultsOf({ image: './pi-os.img' })).toEqual([
      `input \`image\` is “./pi-os.img”, which is neither a file (${join(workspace, 'pi-os.img')} does not exist) ` +
        'nor a URL nor a name such as raspios-lite-arm64:bookworm or mini-arm64, mini-armhf'
    ])
  })

  test('cannot be a folder or an empty file', () => {
    expect(faultsOf({ image: 'folder' })).toEqual([
      `input \`image\` names ${join(workspace, 'folder')}, which is not a file`
    ])
    expect(faultsOf({ image: 'empty.img' })[0]).toMatch(/which is empty$/)
  })
})

describe('inputs that do not go together', () => {
  const rows: readonly (readonly [what: string, raw: RawInputs, fault: string])[] = [
    [
      'a Pi has the memory it has',
      { board: 'raspi3b', memory: '2G' },
      'input `memory` does not go with board `raspi3b`, which has 1024 MiB; valid with `board: virt` only'
    ],
    [
      'without a board it is a Pi, too',
      { memory: '2G' },
      'input `memory` does not go with board `raspi3b`, which has 1024 MiB; valid with `board: virt` only'
    ],
    [
      'a Pi has the CPUs it has',
      { board: 'raspi3b', cpus: '2' },
      'input `cpus` does not go with board `raspi3b`, which has 4; valid with `board: virt` only'
    ],
    [
      'virt makes its own device tree',
      { board: 'virt', dtb: 'pi3.dtb' },
      'input `dtb` does not go with board `virt`: QEMU makes its device tree'
    ],
    [
      'a Pi has the CPU it has',
      { board: 'raspi3b', cpu: 'max' },
      'input `cpu` does not go with board `raspi3b`, which has Cortex-A53; valid with `board: virt` only'
    ],
    [
      'the smallest Pi has its memory, too',
      { image: 'mini-armel', board: 'raspi0', memory: '1G' },
      'input `memory` does not go with board `raspi0`, which has 512 MiB; valid with `board: virt` only'
    ],
    [
      'a 32-bit Pi runs no 64-bit system',
      { image: 'raspios-lite-arm64:bookworm', board: 'raspi2b' },
      'input `board` is “raspi2b”, which runs no arm64 systems, and the image is one; boards that do: raspi3b, raspi3ap, raspi4b, virt'
    ],
    [
      'a Pi has no UEFI',
      { board: 'raspi3b', firmware: 'uefi' },
      'input `firmware` does not go with board `raspi3b`, whose boot firmware QEMU does not emulate; valid with `board: virt` only'
    ],
    [
      'an analysis is part of a report',
      { 'boot-analysis': 'true' },
      'input `boot-analysis` adds to a report, and there is none; give `report-dir`'
    ],
    [
      'so is a picture',
      { screenshot: 'true' },
      'input `screenshot` adds to a report, and there is none; give `report-dir`'
    ],
    [
      'a bare kernel has no systemd',
      { image: 'none', kernel: 'key', board: 'virt', 'report-dir': 'r', 'boot-analysis': 'true' },
      'input `boot-analysis` asks systemd about the boot, and a bare kernel has none'
    ],
    [
      'UEFI starts the kernel of the image',
      { board: 'virt', firmware: 'uefi', kernel: 'kernel8.img' },
      'inputs `firmware` and `kernel` do not go together: with UEFI the image starts its own kernel'
    ],
    [
      'virt has no overlays',
      { board: 'virt', overlays: 'disable-bt' },
      'input `overlays` does not go with board `virt`: QEMU makes its device tree'
    ],
    [
      'without an image there is a kernel',
      { image: 'none', board: 'virt' },
      'input `image` is “none”; then `kernel` is needed'
    ],
    ['and a board', { image: 'none', kernel: 'key' }, 'input `image` is “none”; then `board` is needed'],
    [
      'but no script',
      { image: 'none', kernel: 'key', board: 'virt', run: 'x' },
      'inputs `run`, `keep-running` and `save-image` need an image; with `image: none` the result is the serial output (see `expect`)'
    ],
    [
      'a script has its status',
      { expect: 'done' },
      'input `expect` goes with `image: none` only; a script has its exit status'
    ],
    [
      'versatilepb has the kernel of the user',
      { image: 'mini-armel', board: 'versatilepb' },
      'input `board` is “versatilepb”, which needs `kernel`: no image brings one for it'
    ],
    [
      'an image left alone gets no password',
      { provision: 'none', 'ssh-key': 'key', password: 'secret' },
      'input `password` changes the image, which `provision: none` forbids'
    ],
    [
      'an image left alone needs a key that it accepts',
      { provision: 'none' },
      'input `provision` is “none”, so the image does not get the key of this run; give `ssh-key`, a private key that it already accepts'
    ],
    [
      'an image that gets a key of its own needs no other',
      { 'ssh-key': 'key' },
      'input `ssh-key` goes with `provision: none` only; otherwise a key is made for each run'
    ],
    [
      'a disk in use cannot be saved',
      { 'save-image': 'out.img', 'keep-running': 'true' },
      'inputs `save-image` and `keep-running` do not go together: the disk is saved once the Pi is switched off'
    ],
    [
      'the image is never written',
      { image: './pi.img', 'save-image': 'folder/../pi.img' },
      `inputs \`image\` and \`save-image\` name the same file, ${join(workspace, 'pi.img')}; the image is never written`
    ],
    [
      'what is shared cannot be left out',
      { board: 'virt', sync: 'live', 'sync-exclude': 'x' },
      'inputs `sync-exclude` and `sync: live` do not go together: the folder itself is shared, with all that is in it'
    ],
    [
      'what is shared cannot be left out, by git or otherwise',
      { board: 'virt', sync: 'live', 'sync-gitignore': 'true' },
      'inputs `sync-gitignore` and `sync: live` do not go together: the folder itself is shared, with all that is in it'
    ],
    [
      'what is shared needs no copies',
      { board: 'virt', sync: 'live', 'copy-out': '/x' },
      'inputs `copy-out` and `sync: live` do not go together: the script can copy into the workspace itself'
    ],
    [
      'a built-in image has no checksum',
      { image: 'mini-arm64', 'image-sha256': 'ab'.repeat(32) },
      'input `image-sha256` goes with a file or a URL; an image with a name is verified by itself'
    ]
  ]

  test.each(rows)('%s', (_, raw, fault) => {
    expect(faultsOf(raw)).toEqual([fault])
  })

  test.each(['/', homedir()])('%s is too much to exchange with a Pi', place => {
    expect(faultsOf({}, place)).toEqual([
      `input \`sync\` is “both”, but the workspace is ${place}; change to a project's folder, or use \`sync: none\``
    ])
    expect(faultsOf({ sync: 'none' }, place)).toEqual([])
  })

  test('a report has a folder of its own', () => {
    expect(faultsOf({ 'report-dir': 'key' })).toEqual([
      `input \`report-dir\` names ${join(workspace, 'key')}, which is not a folder`
    ])
    for (const folder of ['.', '..', '/'])
      expect(faultsOf({ 'report-dir': folder })).toEqual([
        expect.stringMatching(/^input `report-dir` names \/.*, which is or holds the workspace; valid: /)
      ])
    expect(faultsOf({ 'report-dir': join(tmpdir(), 'elsewhere') })).toEqual([])
  })

  test('a file of the workspace does not give way to what is copied out', () => {
    const place = mkdtempSync(join(workspace, 'with-copy-out-'))
    expect(faultsOf({ 'copy-out': '/x' }, place)).toEqual([])
    mkdirSync(join(place, 'copy-out'))
    expect(faultsOf({ 'copy-out': '/x' }, place)).toEqual([])
    rmdirSync(join(place, 'copy-out'))
    writeFileSync(join(place, 'copy-out'), 'mine')
    expect(faultsOf({ 'copy-out': '/x' }, place)).toEqual([
      'input `copy-out` fills the folder copy-out of the workspace, which has something else of that name'
    ])
  })

  test('the image is not written through a link to it, either', () => {
    symlinkSync('pi.img', join(workspace, 'latest.img'))
    expect(faultsOf({ image: 'latest.img', 'save-image': 'pi.img' })).toEqual([
      expect.stringMatching(/^inputs `image` and `save-image` name the same file/)
    ])
  })
})

describe('faults', () => {
  test('are all reported together', () => {
    const raw: RawInputs = {
      ...{ board: 'raspi5', memory: 'lots', ports: '99999:80', env: '1=2', 'save-image': 'x.iso', sync: 'sideways' },
      ...{ 'boot-timeout': 'soon', user: 'Root', provision: 'none' }
    }
    const faults = faultsOf(raw)
    expect(faults.map(fault => /^input `([\w-]+)`/.exec(fault)?.[1])).toEqual([
      ...['board', 'memory', 'user', 'env', 'sync', 'ports', 'boot-timeout', 'save-image', 'provision']
    ])
  })

  test('make one message that says how many there are', () => {
    const request = (): Inputs => parse({ board: 'raspi5', cpus: 'x' })
    expect(request).toThrow(BadInput)
    expect(request).toThrow(
      `2 inputs are wrong:\n  - input \`board\` is “raspi5”; valid: ${boardNames.join(', ')}\n` +
        '  - input `cpus` is “x”; valid: a whole number from 1 to'
    )
  })

  test('alone make a message of one line', () => {
    expect(() => parse({ board: 'pi' })).toThrow(/^input `board` is “pi”; valid: raspi3b, .*, versatilepb$/)
  })

  test('include inputs that do not exist, and name those that do', () => {
    const raw = { imgae: 'x', board: 'virt' } as RawInputs
    expect(faultsOf(raw)).toEqual([
      `input \`imgae\` does not exist; valid: ${definitions.map(({ name }) => name).join(', ')}`
    ])
  })
})

describe('user mode', () => {
  test('takes platforms, and CPUs for all or for single ones', () => {
    const { mode, platforms, qemuCpu, setuid } = parse({
      mode: 'user',
      platforms: 'linux/arm/v6, linux/arm64',
      'qemu-cpu': 'max,pauth-impdef=on\nlinux/arm/v6=arm1176',
      setuid: 'true'
    })
    expect({ mode, setuid, qemuCpu }).toEqual({
      ...{ mode: 'user', setuid: true },
      qemuCpu: { '': 'max,pauth-impdef=on', 'linux/arm/v6': 'arm1176' }
    })
    expect(platforms?.rows.map(({ name }) => name)).toEqual(['linux/arm64', 'linux/arm/v6'])
    expect(platforms?.asFarAsPossible).toBe(false)
  })

  test('names platforms that do not exist', () => {
    expect(faultsOf({ mode: 'user', platforms: 'linux/armv8' })[0]).toMatch(
      /^input `platforms` has “linux\/armv8”, which is no platform; valid: all, linux\/arm64, linux\/arm\/v7, /
    )
  })

  test.each([
    [
      { mode: 'user', board: 'virt', memory: '512' },
      '`board`, `memory`: for an emulated board, and `mode: user` has none'
    ],
    [{ platforms: 'all', setuid: 'true' }, '`platforms`, `setuid`: for `mode: user`, and the mode is “system”'],
    [{ mode: 'user', 'sync-exclude': '*.o' }, /^input `sync-exclude` does not go with `mode: user`/],
    [{ mode: 'user', image: 'none' }, /^input `image` is “none”, which is for `mode: system`/],
    [{ mode: 'user', prepare: 'true' }, 'input `prepare` is for `run` or `save-image`, and there is neither'],
    [{ mode: 'user', 'copy-out': '/etc/hosts', sync: 'none' }, /^input `copy-out` brings files into the workspace/]
  ] as const)('refuses %j', (raw, fault) => {
    const faults = faultsOf(raw)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toEqual(typeof fault === 'string' ? fault : expect.stringMatching(fault))
  })
})
