import { tryTool } from '../../host/exec'

/** Removes a builder of ours, with its container and its cache; whether it is gone. */
export async function removeBuilder(name: string): Promise<boolean> {
  const { code, stderr } = await tryTool('docker', ['buildx', 'rm', '--force', name])
  if (code === 0 || /no builder|not found/i.test(stderr)) return true
  throw new Error(stderr.trim())
}
