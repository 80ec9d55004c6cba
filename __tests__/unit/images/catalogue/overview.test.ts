import { imagerList, raspiosEntry } from '../../../kit/catalogue'
import { overview, updates, type PreparedSummary } from '../../../../src/images/catalogue'
import { readCatalogue } from '../../../../src/images/catalogue/read'
import { pinned, type Release } from '../../../../src/images/catalogue/release'

const lite = (date: string, codename = 'trixie'): Release => {
  const channel = codename === 'trixie' ? 'raspios_lite_arm64' : 'raspios_oldstable_lite_arm64'
  return readCatalogue(imagerList(raspiosEntry({ channel, codename, date }))).releases[0] as Release
}
const archived = (date: string, codename?: string): Release => ({ ...lite(date, codename), from: 'index' })
const prepared = (release: Release | undefined): PreparedSummary => ({
  ...{ key: 'k', title: 'T', architecture: 'arm64', bytes: 1 },
  release
})

describe('the overview', () => {
  const lines = (...args: Parameters<typeof overview>): readonly string[] =>
    [...overview(...args).values()]
      .flat()
      .map(release => `${pinned(release)} ${release.allTags.slice(1).join(' ')}`.trim())

  test('has the newest first, and each tag at the release it stands for', () => {
    expect(lines([lite('2026-06-18'), lite('2026-10-06')], [], [])).toEqual([
      'raspios-lite-arm64:2026-10-06 2026-10-06 trixie',
      'raspios-lite-arm64:2026-06-18'
    ])
  })

  test('adds what only the index has; the latest stays that of the catalogue', () => {
    const all = overview([lite('2026-10-06')], [archived('2026-12-01'), archived('2026-10-06')], [])
    expect([...all.values()].flat().map(({ pin, from, allTags }) => [pin, from, allTags.includes('latest')])).toEqual([
      ['2026-12-01', 'index', false],
      ['2026-10-06', 'catalogue', true]
    ])
  })

  test('does not promise a tag that means a release of another name', () => {
    const all = overview(
      [lite('2026-10-06', 'bookworm')],
      [{ ...lite('2025-05-13'), tags: ['2025-05-13', 'bookworm'], codename: 'bookworm' }],
      []
    )
    expect([...all.values()].flat().map(release => [pinned(release), release.allTags])).toEqual([
      ['raspios-lite-arm64:2025-05-13', ['latest', '2025-05-13']],
      ['raspios-oldstable-lite-arm64:2026-10-06', ['latest', '2026-10-06', 'bookworm']]
    ])
  })

  test('says which are prepared', () => {
    const all = overview(
      [lite('2026-10-06'), lite('2026-06-18')],
      [],
      [prepared(lite('2026-06-18')), prepared(undefined)]
    )
    expect([...all.values()].flat().map(({ isPrepared }) => isPrepared)).toEqual([false, true])
  })
})

describe('updates', () => {
  const found = (have: readonly (Release | undefined)[], releases: readonly Release[]): unknown =>
    updates(have.map(prepared), releases).map(update => [
      `${update.name}:${update.prepared}`,
      update.newer.map(({ pin }) => pin)
    ])

  test('are the newest release of the codename and the newest of all', () => {
    const forky = { ...lite('2027-08-01'), codename: 'forky' }
    const releases = [lite('2026-06-18'), lite('2026-10-06'), lite('2026-09-15'), forky, lite('2027-01-01', 'bookworm')]
    expect(found([lite('2026-06-18')], releases)).toEqual([
      ['raspios-lite-arm64:2026-06-18', ['2026-10-06', '2027-08-01']]
    ])
  })

  test('are none for the newest, and none for images without a release', () => {
    expect(found([lite('2026-10-06'), undefined], [lite('2026-10-06')])).toEqual([
      ['raspios-lite-arm64:2026-10-06', []]
    ])
  })

  test('are looked for from the newest one prepared, for each codename', () => {
    const old = lite('2026-06-18', 'bookworm')
    expect(
      found([lite('2026-06-18'), lite('2026-10-06'), old], [lite('2026-10-06'), lite('2026-11-09', 'bookworm')])
    ).toEqual([
      ['raspios-lite-arm64:2026-10-06', []],
      ['raspios-oldstable-lite-arm64:2026-06-18', ['2026-11-09']]
    ])
  })
})
