import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { documentation, reasonsNotToRun, testOf } from '../../kit/docs-blocks'
import { fixtures } from '../../kit/docs-fixtures'
import { shownYaml } from '../../kit/docs-steps'
import { parseAction } from '../../kit/runner-protocol'
import { repository } from '../../kit/runner'
import { knownActions } from '../../kit/workflow-runner'

const action = parseAction(readFileSync(join(repository, 'action.yml'), 'utf8'))
const blocks = documentation()
const at = ({ file, line }: { readonly file: string; readonly line: number }): string => `${file}:${line}`
const commands = blocks.filter(({ language }) => language === 'sh')
const yaml = blocks.filter(({ language }) => language === 'yaml')

test('every block is in a language that is looked after here', () => {
  const others = blocks.filter(({ language }) => !['sh', 'yaml', 'text', '', 'mermaid'].includes(language))
  expect(others.map(at)).toEqual([])
})

test('every block of commands is run, or says why not', () => {
  expect(commands.filter(({ marker }) => marker === undefined).map(at)).toEqual([])
  const reasons = commands.flatMap(({ marker }) => (marker?.kind === 'not run' ? [marker.reason] : []))
  const others = reasons.filter(reason => !Object.hasOwn(reasonsNotToRun, reason))
  const tests = readdirSync(join(repository, '__tests__/e2e'))
  expect(others.filter(reason => !tests.includes(testOf(reason) ?? ''))).toEqual([])
  expect(Object.keys(reasonsNotToRun).filter(reason => !reasons.includes(reason))).toEqual([])
})

test('what a block needs is there', () => {
  const needed = blocks.flatMap(block => (block.marker?.kind === 'run' ? block.marker.needs : []))
  expect(needed.filter(name => !Object.hasOwn(fixtures, name))).toEqual([])
  expect(Object.keys(fixtures).filter(name => !needed.includes(name))).toEqual([])
})

test('commands name the program as the documentation does, and nothing is left open', () => {
  const wrong = commands.filter(({ text }) => /\b(npx|node) (\S*\/)?pi-qemu\b|\$ pi-qemu/.test(text))
  expect(wrong.map(at)).toEqual([])
})

test.each(yaml.map(block => [at(block), block] as const))('%s: inputs and actions exist', (_, block) => {
  const { steps, inputs } = shownYaml(block)
  const given = steps.flatMap(step => (step.uses === './' ? Object.keys(step.with) : []))
  expect([...given, ...inputs].filter(name => !Object.hasOwn(action.inputs, name))).toEqual([])
  const { marker } = block
  const replaced = marker?.kind === 'run' ? Object.keys(marker.inputs) : []
  expect(replaced.filter(name => !Object.hasOwn(action.inputs, name))).toEqual([])
  if (marker?.kind !== 'run') return
  const foreign = steps.map(({ uses = './' }) => uses.replace(/@.*/, '')).filter(name => name !== './')
  expect(foreign.filter(name => !knownActions.includes(name))).toEqual([])
})

test('links between pages lead somewhere', () => {
  const pages = new Map<string, string>()
  const page = (file: string): string => {
    const known = pages.get(file) ?? readFileSync(join(repository, file), 'utf8')
    pages.set(file, known)
    return known
  }
  const anchors = (file: string): readonly string[] =>
    [...page(file).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    )
  const files = [...new Set(blocks.map(({ file }) => file)), 'docs/README.md', 'docs/design.md']
  const broken = files.flatMap(file =>
    [...page(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^[a-z]+:/.test(target)) return []
      const [path = '', anchor] = target.split('#')
      const found = path === '' ? file : join(dirname(file), path)
      const isThere =
        existsSync(resolve(repository, found)) && (anchor === undefined || anchors(found).includes(anchor))
      return isThere ? [] : [`${file}: ${target}`]
    })
  )
  expect(broken).toEqual([])
})
