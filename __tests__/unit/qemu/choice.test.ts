import { boards, type BoardName } from '../../../src/boards'
import type { QemuChoice } from '../../../src/inputs'
import { chooseQemu, type HostQemu } from '../../../src/qemu/choice'
import { BadInput } from '../../../src/report/errors'

const has = (installed: string): HostQemu => ({ installed, candidate: undefined })
const canHave = (candidate: string): HostQemu => ({ installed: undefined, candidate })
const nothing: HostQemu = { installed: undefined, candidate: undefined }

type Kind = Exclude<QemuChoice['kind'], 'path'>

describe('which QEMU', () => {
  test.each<[Kind, BoardName, string, HostQemu, string]>([
    ['auto', 'raspi3b', 'an old one', has('7.2.22'), 'host'],
    ['auto', 'raspi4b', 'an old one', has('7.2.22'), 'private'],
    ['auto', 'raspi4b', 'a new one', has('10.0.13'), 'host'],
    ['auto', 'raspi4b', 'the first that has it', has('9.0.0'), 'host'],
    ['auto', 'virt', 'one that tells no version', has('unknown'), 'private'],
    ['auto', 'raspi3b', 'none, an old one to be had', canHave('8.2.2'), 'host-package'],
    ['auto', 'raspi4b', 'none, an old one to be had', canHave('8.2.2'), 'private'],
    ['auto', 'raspi4b', 'none, a new one to be had', canHave('10.2.0'), 'host-package'],
    ['auto', 'raspi3b', 'none, and no apt', nothing, 'private'],
    ['host', 'raspi3b', 'an old one', has('7.2.22'), 'host'],
    ['host', 'raspi4b', 'a new one', has('10.0.13'), 'host'],
    ['host', 'raspi3b', 'none, an old one to be had', canHave('8.2.2'), 'host-package'],
    // Whether it can be installed shows then, and the error is apt's.
    ['host', 'raspi4b', 'none, and no apt', nothing, 'host-package'],
    ['private', 'raspi3b', 'a new one', has('10.0.13'), 'private'],
    ['private', 'raspi4b', 'none, and no apt', nothing, 'private']
  ])('qemu: %s, board %s, the host has %s', (kind, board, _title, host, use) => {
    expect(chooseQemu({ kind }, boards[board], host).use).toBe(use)
  })

  test('a path is a path, whatever the host has', () => {
    expect(chooseQemu({ kind: 'path', path: '/opt/qemu' }, boards.raspi4b, has('10.0.0')).use).toBe('path')
  })
})

test('the reason names what the host lacks', () => {
  const why = (host: HostQemu): string => chooseQemu({ kind: 'auto' }, boards.raspi4b, host).why
  expect(why(has('7.2.22'))).toBe("the host's 7.2.22 has no board raspi4b")
  expect(why(canHave('8.2.2'))).toBe("the host's 8.2.2 has no board raspi4b")
  expect(why(has('unknown'))).toBe("the host's does not tell its version")
  expect(why(nothing)).toBe('the host has none, and no package of it')
})

describe("the host's, which lacks the board, is refused with all there is to know", () => {
  test.each<[string, HostQemu, string]>([
    ['installed', has('7.2.22'), 'it has QEMU 7.2.22'],
    ['to be had', canHave('8.2.2'), 'its apt has QEMU 8.2.2'],
    ['of unknown version', has('unknown'), 'it has a QEMU that does not tell its version']
  ])('%s', (_title, host, there) => {
    expect.assertions(2)
    try {
      chooseQemu({ kind: 'host' }, boards.raspi4b, host)
    } catch (error) {
      expect(error).toBeInstanceOf(BadInput)
      const instead = host.installed === 'unknown' ? '' : ', or `board: raspi3b`'
      expect((error as BadInput).faults).toEqual([
        `input \`qemu\` is “host”, but board \`raspi4b\` needs QEMU 9.0 or newer, and the host is behind: ${there}; valid: \`qemu: auto\` or \`qemu: private\`${instead}`
      ])
    }
  })
})
