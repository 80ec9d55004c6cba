import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { debianImage } from '../kit/debian-image'
import { RunnerJob } from '../kit/runner'
import { fillWorkspace, hugeEnd, hugeSize, octal, oddNames, picture, rawPath, tail } from '../kit/torture'

jest.setTimeout(1_200_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

/** Who owns the workspace on the host; nobody that the guest knows. */
const owner = 12_345

const boards = [
  // The user of the script, and small files. Each is 256 bytes to read for the guest even if it only looks at names.
  { board: 'virt', image: debianImage, uid: 1000, sudo: 'sudo ', many: 100_000 },
  { board: 'raspi3b', image: () => Promise.resolve('mini-arm64'), uid: 0, sudo: '', many: 100_000 }
] as const

describe.each(boards)('the workspace on $board, there and back', ({ board, image, uid, sudo, many }) => {
  /** What the script has to say before it changes anything; each line is looked for. */
  const look: readonly (readonly [question: string, answer: string])[] = [
    ["stat -c '%a' modes/* | tr '\\n' ' '", '2750 444 4755 600 755 1777 555 700 '],
    [`find . ! -user ${uid} -o ! -group ${uid} | wc -l`, '0'],
    [
      'for name in link dangling long-link; do readlink $name; done | tr "\\n" " "',
      `modes/600 /not/there ${'t'.repeat(200)} `
    ],
    ["stat -c '%i %h' hard-a hard-b | uniq | wc -l", '1'],
    ["stat -c '%s' huge", String(hugeSize)],
    ["[ $(stat -c '%b' huge) -lt 100 ] && echo sparse", 'sparse'],
    [`tail -c ${hugeEnd.length} huge`, hugeEnd],
    ['for name in odd/* odd/...; do [ -f "$name" ] && echo one; done | wc -l', String(oddNames.length)],
    [`cat odd/${octal('no-text-\xff\xfe\x80')} odd/-rf`, 'hosthost'],
    ['find empty -type d | wc -l', '2'],
    ['find many -type f | wc -l', String(many)],
    [`cat many/d${many / 500 - 1}/f499`, `small ${many - 1}`]
  ]
  const change = [
    'for name in odd/* odd/...; do printf " and guest" >> "$name"; done',
    ...oddNames.map(name => `printf guest > new-odd/${octal(name)}`),
    'rm -r gone gone-file many/d1',
    'rm turn/file; mkdir turn/file; echo inside > turn/file/inside',
    'rm -r turn/folder; echo flat > turn/folder',
    'mkdir -p new-empty/er; chmod 2775 new-empty',
    'for mode in 600 755 444 4755; do echo $mode > modes/new$mode; chmod $mode modes/new$mode; done',
    'chmod 640 modes/755; chmod 750 modes/d700',
    `ln -s ${'u'.repeat(300)} new-long-link; ln -s /still/not new-dangling; ln -sf hard-a link`,
    'echo linked > new-a; ln new-a new-b; ln hard-a hard-c',
    // The same size, and the old time again: only the kernel's own note of the change is left.
    'touch -r stealth ref; printf after! > stealth; touch -r ref stealth; rm ref',
    'touch modes/600; touch -d "2020-02-02 02:02:02" new-a',
    `truncate -s ${hugeSize} new-huge; printf "new end" >> new-huge`,
    'printf more >> huge',
    'for file in 0 1 2 3 4; do echo changed > many/d0/f$file; done; echo new > many/d0/new',
    `${sudo}sh -c "echo root > from-root; chmod 600 from-root"`
  ]

  test('nothing is lost, and only what changed comes back', async () => {
    const { workspace } = job
    fillWorkspace(workspace, many)
    mkdirSync(join(workspace, 'new-odd'))
    execFileSync('chown', ['-Rh', `${owner}:${owner}`, workspace])
    for (const mode of ['4755', '2750']) chmodSync(join(workspace, 'modes', mode), Number.parseInt(mode, 8))
    const untouched = lstatSync(join(workspace, 'many/d2/f7'), { bigint: true })
    const time = lstatSync(join(workspace, 'stealth'), { bigint: true }).mtimeNs

    const questions = look.map(([question], index) => `echo "answer ${index}=[$(${question})]"`)
    const run = [...questions, ...change, 'echo "all done"'].join('\n')
    const step = job.step({ image: await image(), board, run, 'boot-timeout': '15m' })
    const { stdout, stderr, code, log, outputs } = await step.main()
    await step.post()

    for (const [index, [question, answer]] of look.entries())
      expect(`${question}: ${new RegExp(`^answer ${index}=\\[([^]*?)\\]$`, 'm').exec(stdout)?.[1] ?? ''}`).toBe(
        `${question}: ${answer}`
      )
    expect([code, stdout.includes('all done'), stderr, log]).toEqual([0, true, '', expect.not.stringMatching(/::warn/)])

    const at = (name: string): string => join(workspace, name)
    const text = (name: string): string => readFileSync(at(name), 'utf8')
    const mode = (name: string): string => (lstatSync(at(name)).mode & 0o7777).toString(8)
    // Names
    expect(readdirSync(at('odd'), { encoding: 'latin1' }).sort()).toEqual([...oddNames].sort())
    expect(readdirSync(at('new-odd'), { encoding: 'latin1' }).sort()).toEqual([...oddNames].sort())
    for (const name of oddNames) {
      expect([name, readFileSync(rawPath(at('odd'), name), 'utf8')]).toEqual([name, 'host and guest'])
      expect([name, readFileSync(rawPath(at('new-odd'), name), 'utf8')]).toEqual([name, 'guest'])
    }
    // Deletions, and what is something else now
    for (const name of ['gone', 'gone-file', 'many/d1']) expect([name, existsSync(at(name))]).toEqual([name, false])
    expect([text('turn/file/inside'), text('turn/folder')]).toEqual(['inside\n', 'flat\n'])
    expect(readdirSync(at('new-empty'))).toEqual(['er'])
    // Permissions
    for (const name of ['new600', 'new755', 'new444', 'new4755', '600', '444', '4755', '2750', 'd1777', 'd555'])
      expect([name, mode(`modes/${name}`)]).toEqual([name, name.replace(/^\D+/, '')])
    expect([mode('modes/755'), mode('modes/d700'), mode('new-empty'), mode('from-root')]).toEqual([
      ...['640', '750', '2775', '600']
    ])
    // Links
    expect(['link', 'dangling', 'new-dangling'].map(name => readlinkSync(at(name)))).toEqual([
      ...['hard-a', '/not/there', '/still/not']
    ])
    expect([readlinkSync(at('long-link')), readlinkSync(at('new-long-link'))]).toEqual([
      't'.repeat(200),
      'u'.repeat(300)
    ])
    const inode = (name: string): number => lstatSync(at(name)).ino
    expect([inode('hard-b'), inode('hard-c'), inode('new-b')]).toEqual([
      ...[inode('hard-a'), inode('hard-a'), inode('new-a')]
    ])
    // Holes
    expect([tail(at('huge'), hugeEnd.length + 4), tail(at('new-huge'), 7)]).toEqual([`${hugeEnd}more`, 'new end'])
    for (const name of ['huge', 'new-huge']) {
      const { size, blocks } = lstatSync(at(name))
      expect([name, size, blocks < 100]).toEqual([name, expect.any(Number), true])
      expect(size).toBeGreaterThan(hugeSize)
    }
    // Times
    expect([text('stealth'), lstatSync(at('stealth'), { bigint: true }).mtimeNs]).toEqual(['after!', time])
    expect(lstatSync(at('new-a')).mtime.toISOString()).toBe('2020-02-02T02:02:02.000Z')
    // Many
    expect(execFileSync('find', [at('many'), '-type', 'f', '-printf', '.'])).toHaveLength(many - 500 + 1)
    expect([text('many/d0/f4'), text('many/d0/f5'), text('many/d0/new')]).toEqual(['changed\n', 'small 5', 'new\n'])
    expect(lstatSync(at('many/d2/f7'), { bigint: true })).toMatchObject({
      ino: untouched.ino,
      ctimeNs: untouched.ctimeNs
    })
    // Owners: the folder's, whoever it was in the guest
    expect(execFileSync('find', [workspace, '!', '-uid', String(owner)], { encoding: 'utf8' })).toBe('')
    const phases = JSON.parse(outputs['timings'] ?? '{}') as Record<string, number>
    process.stderr.write(
      `${board}: disk ${phases['disk'] ?? 0} s, boot ${phases['boot'] ?? 0} s, script ${phases['run'] ?? 0} s, back ${phases['workspace-out'] ?? 0} s\n`
    )
  })
})

describe('a guest that crashes while it writes', () => {
  const writing =
    'rm -r many/d0; for file in many/d1/*; do echo guest > $file; done; echo guest > hard-a; mkdir new; sync'

  test.each([
    ['by its kernel', 'echo started; echo c > /proc/sysrq-trigger; sleep 60', /kernel of the guest (panicked|crashed)/],
    ['with its disk full of work', '(while :; do date >> log; done) & sleep 1; poweroff -f; sleep 60', /ended|off/]
  ])('%s, costs no file of the host', async (_, end, message) => {
    fillWorkspace(job.workspace, 1000)
    const before = picture(job.workspace)
    const step = job.step({ board: 'virt', run: `${writing}; ${end}` })
    const { outputs, log } = await step.main()
    await step.post()
    expect(outputs['outcome']).toBe('boot-failed')
    expect(log).toMatch(message)
    expect(picture(job.workspace)).toEqual(before)
  })
})

describe('what comes besides', () => {
  test('copy-out brings files from anywhere, with any name, also when the script failed', async () => {
    writeFileSync(join(job.workspace, 'mine'), 'host')
    const run = [
      'mkdir -p /opt/out/sub "/opt/two words" /opt/empty',
      'echo one > /opt/out/a.log; echo two > "/opt/out/b c.log"; echo no > /opt/out/x.txt; echo deep > /opt/out/sub/deep',
      'echo quoted > "/opt/two words/\\$(id)"; ln -s /opt/out/a.log /opt/link.log; ln -s nowhere /opt/out/sub/dangling',
      'chmod 600 /opt/out/a.log; chmod 750 /opt/out/sub; echo guest > mine; exit 7'
    ].join('\n')
    const copyOut = [
      '/opt/out/*.log',
      '/opt/out/sub',
      '/opt/two words/$(id)',
      '/opt/l?nk.log',
      '/opt/empty',
      '/nothing/*',
      '/'
    ]
    const step = job.step({ board: 'virt', sync: 'in', run, 'copy-out': copyOut.join('\n') })
    const { code, log } = await step.main()
    await step.post()
    expect(code).toBe(7)
    const out = join(job.workspace, 'copy-out/opt')
    const files = execFileSync('find', ['.', '-printf', '%P|%y|%m\\n'], { cwd: out, encoding: 'utf8' })
    expect(files.trim().split('\n').sort()).toEqual(
      [
        ...['|d|755', 'empty|d|755', 'link.log|f|600', 'out|d|755', 'out/a.log|f|600', 'out/b c.log|f|644'],
        ...['out/sub|d|750', 'out/sub/dangling|l|777', 'out/sub/deep|f|644', 'two words|d|755', 'two words/$(id)|f|644']
      ].sort()
    )
    expect(readFileSync(join(out, 'out/b c.log'), 'utf8')).toBe('two\n')
    expect(log).toMatch(/::warning::.*nothing in the guest matches \/nothing\/\*/)
    expect(log).toMatch(/::warning::.*\/ holds the workspace, and is not copied/)
    expect([readFileSync(join(job.workspace, 'mine'), 'utf8'), readdirSync(job.workspace).sort()]).toEqual([
      'host',
      ['copy-out', 'mine']
    ])
  })

  test('sync-gitignore leaves on the host what git ignores, both ways', async () => {
    for (const [name, text] of [
      ['.gitignore', 'out/\n*.o\n'],
      ['sub/.gitignore', '!keep.o\n'],
      ['out/mine', 'host'],
      ['a.o', 'host'],
      ['sub/keep.o', 'host']
    ] as const) {
      mkdirSync(join(job.workspace, name, '..'), { recursive: true })
      writeFileSync(join(job.workspace, name), text)
    }
    const run =
      'find . -type f | sort | tr "\\n" " "; mkdir out; echo guest > out/mine; echo guest > b.o; echo new > b.c; echo guest > sub/keep.o'
    const step = job.step({ board: 'virt', run, 'sync-gitignore': 'true', 'copy-out': '/etc/hostname' })
    const { code, stdout } = await step.main()
    await step.post()
    expect([code, stdout]).toEqual([0, expect.stringContaining('\n./.gitignore ./sub/.gitignore ./sub/keep.o ')])
    expect(readFileSync(join(job.workspace, 'out/mine'), 'utf8')).toBe('host')
    expect(readFileSync(join(job.workspace, 'sub/keep.o'), 'utf8')).toBe('guest\n')
    expect(readdirSync(job.workspace).sort()).toEqual(['.gitignore', 'a.o', 'b.c', 'copy-out', 'out', 'sub'])
    expect(readFileSync(join(job.workspace, 'copy-out/etc/hostname'), 'utf8')).not.toBe('')
  })
})

describe('sync: live', () => {
  /** Waits for what the other side does. */
  async function appears(path: string): Promise<string> {
    for (const deadline = Date.now() + 600_000; !existsSync(path) && Date.now() < deadline;) await sleep(100)
    return readFileSync(path, 'utf8')
  }

  test('both sides work on the same files at the same time, each as its own user', async () => {
    const { workspace } = job
    const at = (name: string): string => join(workspace, name)
    for (const name of ['from-host', 'gone']) writeFileSync(at(name), `${name}\n`)
    mkdirSync(at('private'), { mode: 0o700 })
    const run = [
      'echo "seen=$(cat from-host) owner=$(stat -c %U from-host private | uniq)"',
      'rm gone; echo changed >> from-host; touch private/made; mkdir -p made/deep; ln -s deep made/link',
      'printf "#!/bin/sh\\necho ran\\n" > made/tool; chmod 755 made/tool; made/tool',
      'sudo sh -c "echo root > by-root"; sudo chown 4321 from-host || echo "not given away"',
      'echo ready > ready.tmp; mv ready.tmp ready',
      'until [ -e go ]; do sleep 0.2; done; echo "host says $(cat go)"; echo answer > answer.tmp; mv answer.tmp answer',
      'until [ -e end ]; do sleep 0.2; done; ls'
    ].join('\n')
    const inputs = { image: await debianImage(), board: 'virt', sync: 'live', run, 'boot-timeout': '15m' }
    const step = job.step(inputs)
    const running = await step.start()
    expect(await appears(at('ready'))).toBe('ready\n')
    writeFileSync(at('go.tmp'), 'go on')
    renameSync(at('go.tmp'), at('go'))
    expect(await appears(at('answer'))).toBe('answer\n')
    writeFileSync(at('end'), '')
    const { code, stdout, log } = await running.done
    const before = picture(workspace)
    await step.post()

    expect([code, log]).toEqual([0, expect.not.stringMatching(/::warn/)])
    expect(stdout).toContain('seen=from-host owner=pi\nran\n')
    expect(stdout).toMatch(/not given away[^]*host says go on\n[^]*answer\nby-root\nend\n/)
    expect(picture(workspace)).toEqual(before)
    expect(readdirSync(workspace).sort()).toEqual([
      ...['answer', 'by-root', 'end', 'from-host', 'go', 'made', 'private', 'ready']
    ])
    expect(readFileSync(at('from-host'), 'utf8')).toBe('from-host\nchanged\n')
    expect([readlinkSync(at('made/link')), (lstatSync(at('made/tool')).mode & 0o777).toString(8)]).toEqual([
      'deep',
      '755'
    ])
    const own = String(process.getuid?.() ?? 0)
    expect(execFileSync('find', [workspace, '!', '-uid', own], { encoding: 'utf8' })).toBe('')
  })
})
