import { constants } from 'node:fs'
import { access } from 'node:fs/promises'

/** Whether this host can run 64-bit Arm guests on its own CPU, and lets this user do so. */
export async function hasKvm(architecture: string = process.arch, device = '/dev/kvm'): Promise<boolean> {
  if (architecture !== 'arm64') return false
  return access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false
  )
}
