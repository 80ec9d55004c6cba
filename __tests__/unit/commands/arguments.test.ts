import { spawnSync } from 'node:child_process'
import { parseFlags, withPassword } from '../../../src/commands/arguments'
import { definitions, listInputs, type RawInputs } from '../../../src/inputs'
import { BadInput } from '../../../src/report/errors'

const raw = (...argv: readonly string[]): RawInputs => parseFlags(argv).raw

/** What is wrong with a command line. */
function faults(...argv: readonly string[]): readonly string[] {
  try {
    return [`accepted: ${JSON.stringify(parseFlags(argv))}`]
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
}

describe('flags', () => {
  test.each(definitions.map(({ name }) => name))('--%s is the input of that name', name => {
    expect(raw(`--${name}`, 'true')).toEqual({ [name]: 'true' })
    expect(raw(`--${name}=a=b c`)).toEqual({ [name]: 'a=b c' })
  })

  test('of none are none', () => {
    expect(parseFlags([])).toEqual({ raw: {}, verbose: false, help: false })
  })

  test('of one value take the last that was given', () => {
    expect(raw('--board', 'virt', '--board', 'raspi3b')).toEqual({ board: 'raspi3b' })
  })

  test.each(listInputs)('--%s may be repeated: each is a line', name => {
    expect(raw(`--${name}`, 'a', `--${name}=b`, `--${name}`, 'c')).toEqual({ [name]: 'a\nb\nc' })
  })

  test('may have an empty value', () => {
    expect(raw('--append', '')).toEqual({ append: '' })
  })

  test('-v and -h are short for --verbose and --help', () => {
    expect([parseFlags(['-v', '-h']), parseFlags(['--help', '--verbose'])]).toEqual(
      Array(2).fill({ raw: {}, verbose: true, help: true })
    )
  })
})

describe('--keep-running', () => {
  test.each([
    [['--keep-running']],
    [['--keep-running', '--board', 'virt']],
    [['--keep-running', 'true']],
    [['--keep-running', 'TRUE']],
    [['--keep-running=true']],
    [['--board', 'virt', '--keep-running', '--', 'true']]
  ])('is meant by %j', argv => {
    expect(raw(...argv)['keep-running']?.toLowerCase()).toBe('true')
  })

  test.each([[['--keep-running', 'false']], [['--keep-running=false']]])('is not meant by %j', argv => {
    expect(raw(...argv)['keep-running']).toBe('false')
  })

  test('does not swallow a stray word', () => {
    expect(faults('--keep-running', 'ls')[0]).toMatch(/'ls'; the command for the Pi goes after `--`$/)
  })
})

describe('what is wrong', () => {
  test('a flag that does not exist, and the message names those that do', () => {
    const valid = `${definitions.map(({ name }) => `--${name}`).join(', ')}, --verbose, --help`
    expect(faults('--bord', 'virt')).toEqual([`flag \`--bord\` does not exist; valid: ${valid}`])
    expect(faults('--bord=virt')).toEqual([`flag \`--bord\` does not exist; valid: ${valid}`])
    expect(faults('-x')).toEqual([`flag \`-x\` does not exist; valid: ${valid}`])
  })

  test('a word without a flag, and the message says where it belongs', () => {
    expect(faults('uname', '-a')).toEqual(["Unexpected argument 'uname'; the command for the Pi goes after `--`"])
  })

  test('a word with a full stop in it is named whole', () => {
    expect(faults('./build.sh')).toEqual(["Unexpected argument './build.sh'; the command for the Pi goes after `--`"])
  })

  test('a flag without its value', () => {
    expect(faults('--board')[0]).toMatch(/--board/)
    expect(faults('--board', '--cpus', '2')[0]).toMatch(/--board/)
  })

  test('two scripts', () => {
    expect(faults('--run', 'a', '--', 'b')).toEqual([
      'there are two scripts: `--run` and the words after `--`; give one'
    ])
  })

  test('a value for a switch', () => {
    expect(faults('--verbose=yes')[0]).toMatch(/verbose/)
  })
})

describe('the command after --', () => {
  test('is the script, its words kept apart and as they are', () => {
    const words = ['printf', '<%s>', 'two words', `it's`, '$HOME', '*', '', '-v', '--board', '--', 'line\nbreak', '"']
    const script = raw('--board', 'virt', '--', ...words).run ?? ''
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    expect(stdout).toBe(
      words
        .slice(2)
        .map(word => `<${word}>`)
        .join('')
    )
  })

  test('is not looked at for flags', () => {
    expect(parseFlags(['--', 'ls', '--help', '-v', '--keep-running'])).toEqual({
      raw: { run: `'ls' '--help' '-v' '--keep-running'` },
      verbose: false,
      help: false
    })
  })

  test('may be left out', () => {
    expect(raw('--board', 'virt', '--')).toEqual({ board: 'virt' })
  })
})

test('a password may come by the environment, where nobody else sees it, and does not stay there', () => {
  const env: NodeJS.ProcessEnv = { PI_QEMU_PASSWORD: 'raspberry', PATH: '/bin' }
  expect(withPassword({ board: 'virt' }, env)).toEqual({ board: 'virt', password: 'raspberry' })
  expect(env).toEqual({ PATH: '/bin' })
  expect(withPassword({ password: 'flag' }, { PI_QEMU_PASSWORD: 'env' })).toEqual({ password: 'flag' })
  expect(withPassword({ board: 'virt' }, {})).toEqual({ board: 'virt' })
})
