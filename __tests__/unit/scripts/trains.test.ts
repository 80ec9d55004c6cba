import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderTrains, withReleases, committedTrains as committed } from '../../../scripts/trains'
import { knownReleases } from '../../../src/images/catalogue/known'

const archive = 'https://downloads.raspberrypi.com'
const address = (channel: string, directory: string, rest: string): { url: string } => ({
  url: `${archive}/${channel}/images/${channel}-${directory}/${rest}.img.xz`
})

test('a release that is new comes first, with both of its dates', () => {
  const rows = withReleases(committed, [
    address('raspios_oldstable_lite_arm64', '2031-02-04', '2031-02-03-raspios-bookworm-arm64-lite'),
    address('raspios_lite_arm64', '2031-02-04', '2031-02-03-raspios-trixie-arm64-lite')
  ])
  const day = { date: '2031-02-03', directory: '2031-02-04' }
  expect(rows.slice(0, 2)).toEqual([
    { ...day, codename: 'trixie', channels: ['raspios_lite_arm64'] },
    { ...day, codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] }
  ])
  expect(rows.slice(2)).toEqual(committed)
})

test('a channel that is new joins its day', () => {
  const [newest] = committed
  const { date = '', codename = '' } = newest ?? {}
  const rows = withReleases(committed, [
    address('raspios_full_arm64', date, `${date}-raspios-${codename}-arm64-full`),
    address('raspios_lite_arm64', date, `${date}-raspios-${codename}-arm64-lite`)
  ])
  expect(rows[0]).toEqual({ date, codename, channels: ['raspios_full_arm64', 'raspios_lite_arm64'] })
  expect(rows).toHaveLength(committed.length)
})

test('what is elsewhere, and what is known, changes nothing', () => {
  const others = ['https://example.org/raspios_lite_arm64/images/x.img.xz', `${archive}/raspios_lite_arm64_latest`]
  expect(withReleases(committed, [...knownReleases, ...others.map(url => ({ url }))])).toEqual(committed)
})

test('only the rows of the file are written anew', () => {
  const current = readFileSync(join(__dirname, '../../../src/images/catalogue/trains.ts'), 'utf8')
  const rows = [{ date: '2031-02-03', codename: 'trixie', channels: ['raspios_lite_arm64'] }]
  const text = renderTrains(rows, current)
  const [head = ''] = current.split('export const trains')
  expect(text).toBe(`${head}export const trains: readonly Train[] = ${JSON.stringify(rows)}\n`)
})
