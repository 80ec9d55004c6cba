import { definitions, outputs } from '../src/inputs'
import { symptoms, type Symptom } from '../src/report/diagnosis'

/** The whole of action.yml. */
export function renderAction(): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
  return [
    '# Inputs and outputs are generated from src/inputs/definitions.ts: npm run generate',
    'name: Raspberry Pi under QEMU',
    'description: Boot a Raspberry Pi image, run a script in it, bring the results back',
    'author: pi-qemu-action contributors',
    'branding:',
    '  icon: cpu',
    '  color: red',
    'inputs:',
    ...definitions.flatMap(({ name, description, default: fallback }) => [
      `  ${name}:`,
      `    description: ${quote(description)}`,
      '    required: false',
      `    default: ${quote(fallback)}`
    ]),
    'outputs:',
    ...Object.entries(outputs).flatMap(([name, description]) => [
      `  ${name}:`,
      `    description: ${quote(description)}`
    ]),
    'runs:',
    '  using: node24',
    '  main: dist/main/index.js',
    '  post: dist/post/index.js',
    ''
  ].join('\n')
}

/** The README's tables of inputs and outputs. */
export function renderTables(): string {
  return [
    '| Input | Default | What it does |',
    '|---|---|---|',
    ...definitions.map(
      ({ name, description, default: fallback }) =>
        `| \`${name}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${cell(description)} |`
    ),
    '',
    '| Output | What it is |',
    '|---|---|',
    ...Object.entries(outputs).map(([name, description]) => `| \`${name}\` | ${cell(description)} |`)
  ].join('\n')
}

/** A table of docs/troubleshooting.md: each row with the anchor that failures point at. */
export function renderSymptoms(place: keyof typeof symptoms): string {
  return ['| Seen | Symptom | Cause | Remedy |', '|---|---|---|---|', ...symptoms[place].map(symptomRow)].join('\n')
}

function symptomRow({ id, shows, symptom, cause, remedy }: Symptom): string {
  const cells = [`<a id="${id}"></a>${shows}`, symptom, cause, remedy]
  return `| ${cells.map(cell).join(' | ')} |`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
