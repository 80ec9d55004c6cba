import { parse } from 'yaml'
import type { DocsBlock } from './docs-blocks'
import { parseStep, type WorkflowStep } from './workflow-file'

/** What a block of YAML shows of a workflow. */
export interface ShownYaml {
  /** Steps of all jobs that it shows. */
  readonly steps: readonly WorkflowStep[]
  /** Names of inputs, where it shows some without their step. */
  readonly inputs: readonly string[]
}

/** How the documentation names this action. */
export const documentedAction = /^(org\/pi-qemu-action@(v1|[0-9a-f]{40})|\.\/)$/

type Node = Readonly<Record<string, unknown>>

/**
 * Reads a block of YAML: a workflow or a part of one with `jobs`, with `steps`, a list of steps, or inputs,
 * with or without their `with`.
 * @throws on anything else
 */
export function shownYaml({ file, line, text }: DocsBlock): ShownYaml {
  const content = parse(text) as unknown
  const steps = (list: unknown): readonly WorkflowStep[] =>
    (list as readonly Node[]).map(step => {
      const parsed = parseStep(step)
      return documentedAction.test(parsed.uses ?? '') ? { ...parsed, uses: './' } : parsed
    })
  if (Array.isArray(content)) return { steps: steps(content), inputs: [] }
  if (typeof content !== 'object' || content === null) throw new Error(`${file}:${line}: no part of a workflow`)
  const { jobs, steps: own, ...rest } = content as Node
  if (jobs !== undefined)
    return { steps: Object.values(jobs as Node).flatMap(job => steps((job as Node)['steps'])), inputs: [] }
  if (own !== undefined) return { steps: steps(own), inputs: [] }
  return { steps: [], inputs: Object.keys((rest['with'] as Node | undefined) ?? rest) }
}
