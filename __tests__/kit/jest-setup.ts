import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Nothing a test runs may touch the home directory or a real job's folders.
const scratch = mkdtempSync(join(tmpdir(), 'pi-qemu-test-'))
process.env['RUNNER_TEMP'] ??= scratch
process.env['RUNNER_TOOL_CACHE'] ??= join(scratch, 'tools')
process.on('exit', () => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  ;(require('node:fs') as typeof import('node:fs')).rmSync(scratch, { recursive: true, force: true })
})
