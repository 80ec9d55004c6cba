import { bits, category, imagerList, raspiosEntry } from '../../../kit/catalogue'
import { knownReleases } from '../../../../src/images/catalogue/known'
import { readCatalogue } from '../../../../src/images/catalogue/read'
import { pinned } from '../../../../src/images/catalogue/release'
import { resolve } from '../../../../src/images/catalogue/resolve'

const ubuntu = (version: string, codename: string, date: string, kind = 'server'): unknown => ({
  name: `Ubuntu ${version}`,
  url: `http://cdimage.ubuntu.com/ubuntu/releases/${codename}/release/ubuntu-${version}-preinstalled-${kind}-arm64+raspi.img.xz`,
  release_date: date,
  devices: bits[64]
})

const { releases } = readCatalogue(
  imagerList(
    raspiosEntry({ channel: 'raspios_arm64', codename: 'trixie', date: '2026-11-10' }),
    category('Raspberry Pi OS (other)', [
      raspiosEntry({ channel: 'raspios_lite_arm64', codename: 'trixie', date: '2026-11-09', directory: '2026-11-10' }),
      raspiosEntry({ channel: 'raspios_oldstable_lite_arm64', codename: 'bookworm', date: '2026-11-09' })
    ]),
    category('Other general-purpose OS', [
      category('Ubuntu', [
        ubuntu('26.04.1', 'resolute', '2026-08-26'),
        ubuntu('26.04.1', 'resolute', '2026-08-27', 'desktop'),
        ubuntu('24.04.5', 'noble', '2026-09-08'),
        ubuntu('24.04.4', 'noble', '2026-02-08')
      ])
    ])
  )
)

const asked = (text: string): { name: string; tag: string } => {
  const [name = '', tag = 'latest'] = text.split(':')
  return { name, tag }
}

/** The release that a text stands for, or what is valid instead. */
function outcome(text: string, catalogue = releases): string {
  const found = resolve(asked(text), catalogue, knownReleases, ['mini-arm64', 'debian-arm64:trixie'])
  return 'kind' in found ? `${found.kind}; ${found.valid.slice(0, 3).join(', ')}` : `${pinned(found)} ${found.from}`
}

test.each([
  ['raspios-lite-arm64', 'raspios-lite-arm64:2026-11-09 catalogue'],
  ['raspios-lite-arm64:latest', 'raspios-lite-arm64:2026-11-09 catalogue'],
  ['raspios-lite-arm64:trixie', 'raspios-lite-arm64:2026-11-09 catalogue'],
  ['raspios-lite-arm64:2026-11-09', 'raspios-lite-arm64:2026-11-09 catalogue'],
  // The date of its folder, as the archive shows it.
  ['raspios-lite-arm64:2026-11-10', 'raspios-lite-arm64:2026-11-09 catalogue'],
  // Listed under another channel meanwhile: people name the release.
  ['raspios-lite-arm64:bookworm', 'raspios-oldstable-lite-arm64:2026-11-09 catalogue'],
  ['raspios-oldstable-lite-arm64', 'raspios-oldstable-lite-arm64:2026-11-09 catalogue'],
  ['raspios-oldstable-lite-arm64:bookworm', 'raspios-oldstable-lite-arm64:2026-11-09 catalogue'],
  // Not listed any more.
  ['raspios-lite-arm64:bullseye', 'raspios-oldstable-lite-arm64:2025-05-06 index'],
  ['raspios-lite-arm64:2026-10-06', 'raspios-lite-arm64:2026-10-06 index'],
  ['raspios-lite-arm64:2024-11-19', 'raspios-lite-arm64:2024-11-19 index'],
  ['raspios-oldstable-lite-arm64:2025-05-07', 'raspios-oldstable-lite-arm64:2025-05-06 index'],
  ['raspios-full-armhf', 'raspios-full-armhf:2026-06-18 index'],
  ['raspios-arm64:bookworm', 'raspios-oldstable-arm64:2026-06-18 index'],
  // The newest version, not the one published last.
  ['ubuntu-arm64', 'ubuntu-arm64:2026-08-26 catalogue'],
  ['ubuntu-arm64:24.04', 'ubuntu-arm64:2026-09-08 catalogue'],
  ['ubuntu-arm64:24.04.4', 'ubuntu-arm64:2026-02-08 catalogue'],
  ['ubuntu-arm64:noble', 'ubuntu-arm64:2026-09-08 catalogue'],
  ['ubuntu-server-arm64:noble', 'ubuntu-arm64:2026-09-08 catalogue'],
  ['ubuntu-desktop-arm64', 'ubuntu-desktop-arm64:2026-08-27 catalogue'],
  // Nearest first.
  ['raspios-lit-arm64', 'unknown name; raspios-lite-arm64, raspios-lite-armhf, raspios-arm64'],
  ['ubunto-arm64', 'unknown name; ubuntu-arm64, mini-arm64, raspios-arm64'],
  ['raspios-lite-arm64:bokworm', 'unknown tag; bookworm, latest, trixie'],
  ['raspios-lite-arm64:2026-11-08', 'unknown tag; 2026-11-09, 2026-11-10, 2026-10-06'],
  ['raspios-lite-arm64:2025-10-05', 'unknown tag; 2025-10-02, 2025-10-01, 2025-11-24'],
  ['ubuntu-arm64:24.10', 'unknown tag; 24.04, 26.04, 24']
])('%s is %s', (text, expected) => {
  expect(outcome(text)).toBe(expected)
})

test.each([
  ['raspios-lite-arm64', 'raspios-lite-arm64:2026-10-06 index'],
  ['raspios-lite-arm64:bookworm', 'raspios-oldstable-lite-arm64:2026-10-06 index'],
  ['ubuntu-arm64:24.04', 'unknown name; mini-arm64, raspios-arm64, raspios-armhf']
])('without a catalogue %s is %s', (text, expected) => {
  expect(outcome(text, [])).toBe(expected)
})

test('what stands for a release, given back, is that release again', () => {
  for (const release of [...releases, ...knownReleases])
    expect(outcome(pinned(release))).toContain(`${pinned(release)} `)
})
