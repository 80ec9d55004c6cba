import type { Symptom } from './types'

/** What programs of the host, and the host itself, say when they fail. Most telling first. */
export const hostSymptoms: readonly Symptom[] = [
  {
    id: 'host-disk-full',
    shows: '`No space left on device`, `ENOSPC`, `disk full`',
    pattern: /no space left on device|disk full|ENOSPC/i,
    symptom: 'the disk of the host is full',
    cause: 'the disk is full',
    remedy:
      'free some space, point PI_QEMU_HOME at a larger disk, or lower what is kept there: `pi-qemu cache`, `cache-max-size`'
  },
  {
    id: 'host-old-keys',
    shows: '`NO_PUBKEY`',
    pattern: /NO_PUBKEY/,
    symptom: 'the host cannot check the signature of packages',
    cause: "the host's keys for checking Debian's packages are older than the release",
    remedy: 'install a newer debian-archive-keyring'
  },
  {
    id: 'mirror-in-motion',
    shows: '`Mirror sync in progress?`, `Hash Sum mismatch`',
    pattern: /Mirror sync in progress|Hash Sum mismatch/,
    symptom: 'the mirror of packages contradicts itself',
    cause: 'it is being updated',
    remedy: 'try again in some minutes'
  },
  {
    id: 'host-no-names',
    shows: '`Temporary failure resolving`, `ENOTFOUND`, `EAI_AGAIN`',
    pattern: /Temporary failure (?:resolving|in name resolution)|Could not resolve|\bENOTFOUND\b|\bEAI_AGAIN\b/,
    symptom: 'the host does not find a server',
    cause: 'it has no network, no name server, or needs a proxy',
    remedy: 'check the network of the host; `http_proxy` and `https_proxy` are used where they are set'
  },
  {
    id: 'host-not-accessible',
    shows: '`Permission denied`, `EACCES`',
    pattern: /permission denied|\bEACCES\b/i,
    symptom: 'the host denies access',
    cause: 'a file or folder is not accessible to this user',
    remedy: 'check the owner and mode of the path named above'
  }
]
