import type { Inputs } from './index'

type Rows = readonly (readonly [wrong: boolean, fault: string])[]

/** What says how to build, by the names of the inputs. */
const ofBuilds = ({ building: how }: Inputs): readonly string[] =>
  (
    [
      ['file', how.file !== undefined],
      ['tags', how.tags.length > 0],
      ['build-args', Object.keys(how.args).length > 0],
      ['secrets', how.secrets.length > 0],
      ['target', how.target !== undefined],
      ['push', how.push],
      ['load', how.load],
      ['outputs', how.outputs.length > 0],
      ['cache-from', how.cacheFrom.length > 0],
      ['cache-to', how.cacheTo.length > 0],
      ['builder', how.builder !== undefined]
    ] as const
  ).flatMap(([name, given]) => (given ? [`\`${name}\``] : []))

/** What changes, or is brought out of, the image of a Pi. */
const ofImages = (inputs: Inputs): readonly string[] =>
  (
    [
      ['prepare', inputs.prepare !== undefined],
      ['save-image', inputs.saveImage !== undefined],
      ['files', inputs.files.length > 0],
      ['hostname', inputs.hostname !== undefined],
      ['disk-size', inputs.diskSize !== undefined],
      ['image-sha256', inputs.imageSha256 !== undefined],
      ['copy-out', inputs.copyOut.length > 0]
    ] as const
  ).flatMap(([name, given]) => (given ? [`\`${name}\``] : []))

/** Inputs for containers and builds that are given in `mode: system`. */
export function onlyWithEngine(inputs: Inputs): readonly string[] {
  const { container, build } = inputs
  return [
    ...(container === undefined ? [] : ['`container`']),
    ...(build === undefined ? [] : ['`build`']),
    ...ofBuilds(inputs)
  ]
}

/** Faults of inputs that need a container engine, in `mode: user`. */
export function containerConflicts(inputs: Inputs): readonly string[] {
  const { container, build, building, run, sync, platforms } = inputs
  const several = platforms !== undefined && platforms.rows.length > 1
  const rows: Rows = [
    [
      container !== undefined && build !== undefined,
      'inputs `container` and `build` do not go together: use a step for each'
    ],
    [
      build === undefined && ofBuilds(inputs).length > 0,
      `${ofBuilds(inputs).join(', ')}: for \`build\`, and there is none`
    ],
    [
      build !== undefined && run !== undefined,
      'inputs `build` and `run` do not go together: what is to run goes into the Dockerfile, or into a step with `container`'
    ],
    [container !== undefined && run === undefined, 'input `container` needs `run`, a script to run in it'],
    [
      (container ?? build) !== undefined && ofImages(inputs).length > 0,
      `${ofImages(inputs).join(', ')}: for a Pi's \`image\`, which \`${container === undefined ? 'build' : 'container'}\` has no use for`
    ],
    [
      container !== undefined && several,
      'input `platforms` has several, and a `container` is of one; use a step for each'
    ],
    [
      container !== undefined && (sync === 'in' || sync === 'out'),
      `input \`sync\` is “${sync}”, and a container has the workspace itself; with \`container\` valid: both, live, none`
    ],
    [
      build !== undefined && platforms?.asFarAsPossible === true,
      'input `platforms` is “all”, and base images are not for all; with `build` name them'
    ],
    [
      building.push && building.tags.length === 0 && building.outputs.length === 0,
      'input `push` needs `tags`, which name the registry'
    ],
    [
      building.push && building.load && several,
      'inputs `push` and `load` do not go together for several `platforms`; push, and let later steps pull'
    ],
    [
      (building.push || building.load) && building.outputs.length > 0,
      `inputs \`${building.push ? 'push' : 'load'}\` and \`outputs\` do not go together: it is short for an output of its own`
    ]
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}
