import { bootDefaults, bootWords, waysIn } from '../../../src/commands/boot'
import { EndRequest } from '../../../src/stay-up'
import { defaultInputs } from '../samples'

describe('the words of boot', () => {
  test('are an image, if the first is no flag, an address to listen on, and flags', () => {
    expect(bootWords(['pi.img', '--board', 'virt', '--listen', '0.0.0.0', '-v'])).toEqual({
      ...{ image: 'pi.img', listen: '0.0.0.0', rest: ['--board', 'virt', '-v'] }
    })
    expect(bootWords(['--listen=10.0.0.1', '--board', 'virt'])).toEqual({
      ...{ image: undefined, listen: '10.0.0.1', rest: ['--board', 'virt'] }
    })
    expect(bootWords([])).toEqual({ image: undefined, listen: undefined, rest: [] })
  })

  test.each([['--listen'], ['--listen', 'eth0'], ['--listen=::'], ['--listen', '0.0.0.0:22']])(
    '%s %s: only an IPv4 address can be listened on',
    (...words) => {
      expect(() => bootWords(words)).toThrow(/flag `--listen` is “.*”; valid: an IPv4 address/)
    }
  )
})

describe('without a word from the user', () => {
  const having =
    (...paths: readonly string[]) =>
    (path: string): boolean =>
      paths.includes(path)
  const container = { PI_QEMU_CONTAINER: '1' }

  test('only the host itself reaches the Pi', () => {
    const files = having('/image.img', '/authorized_keys')
    expect(bootDefaults({}, {}, files)).toEqual({ raw: { sync: 'none' }, listen: '127.0.0.1' })
  })

  test('our container listens where ports are published from, at the port of the documentation', () => {
    expect(bootDefaults(container, {}, having())).toEqual({
      raw: { sync: 'none', 'ssh-port': '2222' },
      listen: '0.0.0.0'
    })
  })

  test('it takes what is mounted', () => {
    const { raw } = bootDefaults(container, {}, having('/sdcard/filesystem.img', '/authorized_keys'))
    expect(raw).toMatchObject({ image: '/sdcard/filesystem.img', 'authorized-keys': '/authorized_keys' })
    expect(bootDefaults(container, {}, having('/sdcard/filesystem.img', '/image.img')).raw.image).toBe('/image.img')
  })

  test('a guest with an address of its own has no port of the container', () => {
    expect(bootDefaults(container, { network: 'tap' }, having()).raw).toEqual({ sync: 'none' })
  })
})

describe('the ways in', () => {
  const pi = {
    user: 'pi',
    sshConfig: '/runs/1/ssh-config',
    login: { port: 41_233, user: 'pi', privateKey: '', hostKey: undefined }
  }
  const byKey = { ...defaultInputs, authorizedKeys: ['ssh-ed25519 AAAA'] }

  test("are the run's key alone, unless the user gave something", () => {
    const lines = waysIn(defaultInputs, pi)
    expect(lines[0]).toBe('With the key of this run: ssh -F /runs/1/ssh-config pi')
    expect(lines[1]).toMatch(/^Nobody else gets in/)
  })

  test('by their own key or password, at the port', () => {
    expect(waysIn({ ...byKey, password: 'secret' }, pi)[1]).toBe(
      'With your own key or the password: ssh -p 41233 pi@127.0.0.1'
    )
    expect(waysIn({ ...byKey, listen: '0.0.0.0' }, pi)[1]).toMatch(/ssh -p 41233 pi@127\.0\.0\.1, from elsewhere by/)
  })

  test('or at an address of its own', () => {
    const own = { ...pi, login: { ...pi.login, host: '172.17.255.238', port: 22 } }
    expect(waysIn({ ...byKey, network: 'tap', listen: '0.0.0.0' }, own)[1]).toBe(
      'With your own key: ssh pi@172.17.255.238'
    )
  })

  test('never show the password', () => {
    expect(waysIn({ ...byKey, password: 'secret' }, pi).join('\n')).not.toContain('secret')
  })
})

test('a signal ends a Pi in order once it is up; before, and the second time, everything ends at once', async () => {
  const request = new EndRequest()
  expect(request.take('SIGTERM')).toBe(false)
  request.guestIsUp()
  expect([request.take('SIGINT'), request.take('SIGTERM')]).toEqual([true, false])
  expect(await request.asked).toBe('SIGINT')
})
