import * as read from '../../../src/inputs/readers'

/** What the reader says is wrong; `accepted` if it takes the text. */
function complaint(reader: (text: string) => unknown, text: string): string {
  try {
    return `accepted: ${JSON.stringify(reader(text))}`
  } catch (error) {
    if (error instanceof read.Fault) return error.message
    throw error
  }
}

describe('a choice', () => {
  test('is one of the valid words, to the letter', () => {
    expect(read.oneOf('both', 'none')('none')).toBe('none')
    expect(complaint(read.oneOf('both', 'none'), 'None')).toBe('is “None”; valid: both, none')
  })

  test('that is refused is quoted, but not at any length', () => {
    expect(complaint(read.oneOf('both'), 'x'.repeat(1000))).toBe(`is “${'x'.repeat(60)}…”; valid: both`)
  })
})

test.each([
  ['true', true],
  ['TRUE', true],
  ['False', false]
])('the switch %s is %s', (text, value) => {
  expect(read.truth(text)).toBe(value)
})

test.each(['yes', '1', 'on', ''])('the switch “%s” is refused', text => {
  expect(complaint(read.truth, text)).toMatch(/valid: true, false$/)
})

describe('a duration', () => {
  test.each([
    ['90', 90_000],
    ['90s', 90_000],
    ['1.5m', 90_000],
    ['2 h', 7_200_000],
    ['250ms', 250],
    ['0.5s', 500]
  ])('%s is %d ms', (text, ms) => {
    expect(read.duration(text)).toBe(ms)
  })

  test.each(['0', '0s', '-5s', '10 minutes', '1m30s', 's', '.5s', '1e3', 'Infinity', '0.0001ms'])(
    '%s is refused, and the message shows what is valid',
    text => {
      expect(complaint(read.duration, text)).toBe(`is “${text}”; valid: a time such as 90s, 10m or 2h, at most 24 days`)
    }
  )

  test('longer than a timer can hold is refused: it would fire at once', () => {
    expect(read.duration('596h')).toBeLessThan(2 ** 31)
    expect(complaint(read.duration, '597h')).toMatch(/at most 24 days/)
  })
})

describe('a number', () => {
  test('is whole, and within its limits', () => {
    const reader = read.count(1, 8)
    expect([reader('1'), reader('8')]).toEqual([1, 8])
    for (const text of ['0', '9', '2.0', '-1', '0x2', ' 2', 'two', '1e0']) {
      expect(complaint(reader, text)).toBe(`is “${text}”; valid: a whole number from 1 to 8`)
    }
  })
})

describe('memory', () => {
  test.each([
    ['512', 512],
    ['512M', 512],
    ['512MiB', 512],
    ['2G', 2048],
    ['2gb', 2048],
    ['128', 128]
  ])('%s is %d MiB', (text, mib) => {
    expect(read.memory(text)).toBe(mib)
  })

  test.each(['127', '0', '1.5G', '2T', '512K', 'G', '2000G', '-1G'])('%s is refused', text => {
    expect(complaint(read.memory, text)).toMatch(/; valid: MiB from 128 up, or with a suffix/)
  })
})

describe('a checksum', () => {
  const hex = 'ab'.repeat(32)

  test('may be in capitals, and with the name of the algorithm in front', () => {
    expect(read.sha256(hex.toUpperCase())).toBe(hex)
    expect(read.sha256(`sha256:${hex}`)).toBe(hex)
  })

  test.each([hex.slice(1), `${hex}0`, hex.replace('a', 'g'), `md5:${hex}`, ''])('“%s” is refused', text => {
    expect(complaint(read.sha256, text)).toMatch(/; valid: 64 hexadecimal digits$/)
  })
})

describe('a user', () => {
  test.each(['pi', 'root', '_apt', 'systemd-network', 'a', 'a'.repeat(32)])('%s is a login name', name => {
    expect(read.userName(name)).toBe(name)
  })

  test.each(['Pi', '1pi', 'pi user', 'pi;reboot', '$USER', '-pi', 'a'.repeat(33), 'pi:pi', 'pi\nroot'])(
    '%j is refused',
    name => {
      expect(complaint(read.userName, name)).toMatch(/; valid: a login name such as pi$/)
    }
  )
})

test('a list is its lines, without blanks around them and without empty ones', () => {
  expect(read.lines('a\n  b c \r\n\n\t\n# d\n')).toEqual(['a', 'b c', '# d'])
})

describe('the environment of the script', () => {
  const environment = read.environment({ TOKEN: 'secret', EMPTY: '', CERTIFICATE: 'line 1\nline 2\n' })

  test('has the values that are written', () => {
    expect(environment('A=1\nB=two words\nC=a=b==\nD=\n  E=indented')).toEqual({
      ...{ A: '1', B: 'two words', C: 'a=b==', D: '', E: 'indented' }
    })
  })

  test('keeps quotes, dollars and blanks in a value as they are', () => {
    expect(environment(`Q="it's" $HOME \`x\` \\n`)).toEqual({ Q: `"it's" $HOME \`x\` \\n` })
  })

  test('takes a bare name from the host, line breaks and all', () => {
    expect(environment('TOKEN\n EMPTY \nCERTIFICATE')).toEqual({
      ...{ TOKEN: 'secret', EMPTY: '', CERTIFICATE: 'line 1\nline 2\n' }
    })
  })

  test('leaves a bare name out that the host does not have', () => {
    expect(environment('NOWHERE\nA=1')).toEqual({ A: '1' })
  })

  test('leaves a bare name out that only JavaScript objects have', () => {
    expect(environment('toString\nconstructor')).toEqual({})
  })

  test('takes the last of two values, and lines that end as on Windows', () => {
    expect(environment('A=1\r\nA=2\r\n')).toEqual({ A: '2' })
  })

  test.each(['1A=x', 'A B', 'A =x', '=x', 'A-B=x', 'export A=x', 'A;B=1', '$A'])(
    'refuses the line “%s”, and the message names it',
    line => {
      expect(complaint(environment, `GOOD=1\n${line}`)).toBe(
        `has the line “${line}”; valid: NAME, NAME=value or inherit-github`
      )
    }
  )
})

describe('ports', () => {
  test('are host:guest, TCP unless said otherwise', () => {
    expect(read.ports('8080:80\n 5353:53/udp \n\n65535:1/tcp')).toEqual([
      { protocol: 'tcp', host: 8080, guest: 80 },
      { protocol: 'udp', host: 5353, guest: 53 },
      { protocol: 'tcp', host: 65535, guest: 1 }
    ])
  })

  test.each(['0:80', '80:0', '65536:80', '80:65536', '80', '80:', ':80', '80:80/sctp', '127.0.0.1:80:80', '80-81:80'])(
    'the line %s is refused, and the message names it',
    line => {
      expect(complaint(read.ports, `8080:80\n${line}`)).toBe(
        `has the line “${line}”; valid: host:guest or host:guest/udp, ports from 1 to 65535`
      )
    }
  )

  test('a host port can be given away once per protocol', () => {
    expect(read.ports('53:53\n53:53/udp')).toHaveLength(2)
    expect(complaint(read.ports, '53:53/udp\n53:54/udp')).toBe('names the host port 53/udp twice')
    expect(complaint(read.ports, '8080:80\n08080:81')).toBe('names the host port 8080/tcp twice')
  })
})

describe('words', () => {
  test.each([
    ['-d guest_errors', ['-d', 'guest_errors']],
    ['  a \t b\n c  ', ['a', 'b', 'c']],
    [`-append "a b" 'c d'`, ['-append', 'a b', 'c d']],
    [`a"b c"d`, ['ab cd']],
    [`'it'\\''s'`, [`it's`]],
    [`"a\\"b"`, ['a"b']],
    [`'a\\b'`, ['a\\b']],
    ['a\\ b', ['a b']],
    [`"" ''`, ['', '']],
    ['$HOME `x` *', ['$HOME', '`x`', '*']],
    ['   ', []]
  ])('%j are %j', (text, expected) => {
    expect(read.words(text)).toEqual(expected)
  })

  test.each([
    ['a "b', '"'],
    [`it's`, "'"],
    [`"it's`, '"']
  ])('a quote that is not closed is refused: %s', (text, quote) => {
    expect(complaint(read.words, text)).toBe(`has a quote (${quote}) that is not closed`)
  })
})

describe('where to save an image', () => {
  test.each([
    ['/out/pi.img', 'raw'],
    ['/out/pi.raw', 'raw'],
    ['/out/pi.img.xz', 'xz'],
    ['/out/pi.img.zst', 'zst'],
    ['/out/pi.qcow2', 'qcow2']
  ])('%s is of format %s', (path, format) => {
    expect(read.imageTarget(path)).toEqual({ path, format })
  })

  test.each(['/out/pi', '/out/pi.zip', '/out/pi.img.gz', '/out/pi.img/'])('%s is refused', path => {
    expect(complaint(read.imageTarget, path)).toMatch(
      /valid: a file name that ends in \.qcow2, \.xz, \.zst, \.img, \.raw$/
    )
  })
})
