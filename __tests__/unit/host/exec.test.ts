import { tool, toolFailure, tryTool } from '../../../src/host/exec'
import { describeFailure, HostFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

test('a tool gives its status and both its outputs', async () => {
  expect(await tryTool('sh', ['-c', 'echo out; echo err >&2; exit 3'])).toEqual({
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n'
  })
})

test('arguments reach it as they are, without a shell in between', async () => {
  const words = ['two words', `it's "$HOME"`, '', '*', 'a\\b', 'line\nbreak']
  expect(await tool('printf', ['<%s>', ...words])).toBe(words.map(word => `<${word}>`).join(''))
})

test('it speaks one language, and knows the environment and folder it was given', async () => {
  const cwd = scratch.fresh()
  expect(await tool('sh', ['-c', 'echo "$LC_ALL $EXTRA"; pwd'], { cwd, env: { EXTRA: 'x' } })).toBe(
    `C.UTF-8 x\n${cwd}\n`
  )
})

describe('input', () => {
  test('is read from what it was given, of any size and any bytes', async () => {
    const input = Buffer.alloc(300_000, Buffer.from([0, 255, 10]))
    expect((await tryTool('wc', ['-c'], { input })).stdout.trim()).toBe('300000')
  })

  test('that it does not care for does no harm', async () => {
    expect(await tryTool('sh', ['-c', 'exec 0<&-; exit 4'], { input: 'x'.repeat(1_000_000) })).toMatchObject({
      code: 4
    })
  })

  test('of nothing is an end', async () => {
    expect(await tool('cat', [], { input: '' })).toBe('')
  })
})

test('a tool that is not there is a fault of the host that names it', async () => {
  for (const options of [{}, { input: 'x' }]) {
    const error = await tryTool('no-such-tool', ['x'], options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(HostFailure)
    expect(describeFailure(error)).toMatch(/^no-such-tool could not be started: /)
  }
})

describe('a tool that fails', () => {
  test('is quoted with its status, its command line and its last words', async () => {
    const error = await tool('sh', ['-c', 'echo "went wrong" >&2; exit 9']).catch((reason: unknown) => reason)
    expect(describeFailure(error)).toBe('sh ended with status 9 (sh -c echo "went wrong" >&2; exit 9)\nwent wrong')
  })

  test('without words on its error output is quoted from the other', async () => {
    await expect(tool('sh', ['-c', 'echo "all wrong"; exit 1'])).rejects.toThrow(/\nall wrong$/)
  })

  test('is cut to its last lines, and its command line to a length that can be read', () => {
    const output = Array.from({ length: 100 }, (_, line) => `line ${line}`).join('\n')
    const { message } = toolFailure('x', ['y'.repeat(1000)], 1, output)
    expect(message.split('\n').slice(1)).toEqual(Array.from({ length: 8 }, (_, line) => `line ${92 + line}`))
    expect(message.split('\n')[0]?.length).toBeLessThan(400)
  })

  test.each([
    ['dd: error writing: No space left on device', 'the disk is full'],
    ['mcopy: Disk full', 'the disk is full'],
    ['cannot open: Permission denied', 'a file or folder is not accessible to this user'],
    ['something else', undefined]
  ])('is explained by what it says: %s', (output, cause) => {
    expect(toolFailure('x', [], 1, output).details.cause).toBe(cause)
  })

  test('is explained by an early line, too', () => {
    const output = `No space left on device\n${'more\n'.repeat(20)}`
    expect(toolFailure('x', [], 1, output).details.cause).toBe('the disk is full')
  })
})
