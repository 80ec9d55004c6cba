/** Releases of one day, in Raspberry Pi's archive. */
export interface Train {
  /** In the names of the files. */
  readonly date: string
  /** In the names of the folders; by default the same. */
  readonly directory?: string
  readonly codename: string
  readonly channels: readonly string[]
}

/**
 * Releases of Raspberry Pi OS that are known to be in the archive, for when the catalogue cannot be reached, and for
 * dates that it does not list any more. There are no checksums here: they come from the `.sha256` beside each file. The
 * archive has more than these. Rows are added by `npm run refresh-index`.
 */
export const trains: readonly Train[] = [
  { date: '2026-10-06', codename: 'trixie', channels: ['raspios_lite_arm64'] },
  { date: '2026-10-06', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2026-09-15', codename: 'trixie', channels: ['raspios_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2026-09-15', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2026-06-18',
    directory: '2026-06-19',
    codename: 'trixie',
    channels: [
      'raspios_arm64',
      'raspios_armhf',
      'raspios_full_arm64',
      'raspios_full_armhf',
      'raspios_lite_arm64',
      'raspios_lite_armhf'
    ]
  },
  {
    date: '2026-06-18',
    directory: '2026-06-19',
    codename: 'bookworm',
    channels: [
      'raspios_oldstable_arm64',
      'raspios_oldstable_armhf',
      'raspios_oldstable_full_arm64',
      'raspios_oldstable_full_armhf',
      'raspios_oldstable_lite_arm64',
      'raspios_oldstable_lite_armhf'
    ]
  },
  { date: '2026-04-21', codename: 'trixie', channels: ['raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2026-04-13', directory: '2026-04-14', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-12-04',
    codename: 'trixie',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf']
  },
  { date: '2025-11-24', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-10-01',
    directory: '2025-10-02',
    codename: 'trixie',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64']
  },
  { date: '2025-10-01', directory: '2025-10-02', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-05-13',
    codename: 'bookworm',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf']
  },
  {
    date: '2025-05-06',
    directory: '2025-05-07',
    codename: 'bullseye',
    channels: ['raspios_oldstable_arm64', 'raspios_oldstable_lite_arm64', 'raspios_oldstable_lite_armhf']
  },
  { date: '2024-11-19', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2024-10-22', directory: '2024-10-28', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2024-07-04', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  {
    date: '2024-07-04',
    codename: 'bullseye',
    channels: ['raspios_oldstable_lite_arm64', 'raspios_oldstable_lite_armhf']
  },
  { date: '2024-03-15', codename: 'bookworm', channels: ['raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2024-03-12', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2023-12-11', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-12-05', directory: '2023-12-06', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-12-05', directory: '2023-12-06', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2023-10-10', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-05-03', codename: 'bullseye', channels: ['raspios_lite_arm64'] },
  { date: '2023-02-21', directory: '2023-02-22', codename: 'bullseye', channels: ['raspios_lite_arm64'] }
]
