import { definitions, outputs } from '../src/inputs'

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
  const cell = (text: string): string => text.replaceAll('|', '\\|')
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
