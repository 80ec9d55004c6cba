import { tmpdir } from 'node:os'
import { join } from 'node:path'

// The toolkit wants these even where nothing is written to them.
process.env['RUNNER_TEMP'] ??= join(tmpdir(), 'pi-qemu-test-runner', 'temp')
process.env['RUNNER_TOOL_CACHE'] ??= join(tmpdir(), 'pi-qemu-test-runner', 'tools')
