import { DockerEngine } from '../kit/docker-engine'
import { dockerTraces } from '../kit/docker-traces'
import { difference, hostState, unchanged } from '../kit/host-state'

jest.setTimeout(300_000)

test('the engine of the tests leaves the host as it found it', async () => {
  const [traces, host] = [await dockerTraces(), await hostState({ roots: [] })]
  const engine = await DockerEngine.start()
  try {
    await engine.loadBases(['arm64', 'armhf', 'armel'])
  } finally {
    await engine.stop()
  }
  expect(await dockerTraces()).toEqual(traces)
  expect(difference(host, await hostState({ roots: [] }))).toEqual(unchanged)
})
