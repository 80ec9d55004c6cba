import { commandSummaries, helpText } from '../../../src/commands/help'
import { definitions, listInputs } from '../../../src/inputs'

const help = helpText()
const lines = help.split('\n')

test('every command is listed with what it does, and with how it is called', () => {
  for (const [name, summary] of Object.entries(commandSummaries)) {
    expect(lines).toContain(`  ${name.padEnd(8)} ${summary}`)
    expect(help).toMatch(new RegExp(`^(usage:)? +pi-qemu ${name}\\b`, 'm'))
  }
})

test('every flag is listed once, with what stands for its value', () => {
  for (const { name, placeholder } of definitions) {
    const repeated = listInputs.includes(name) ? ' (may be repeated)' : ''
    expect(lines.filter(line => line.startsWith(`  --${name} `))).toEqual([`  --${name} ${placeholder}${repeated}`])
  }
})

test('every description is there in full', () => {
  const text = help.replace(/\s+/g, ' ')
  for (const { description } of definitions) expect(text).toContain(description)
})

test('a default that the description does not name is added', () => {
  expect(help).toContain('Default: `mini-arm64`.')
  expect(help).toContain('Default: `10m`.')
  for (const { name, description, default: fallback } of definitions) {
    const count = (text: string): number => text.split('Default').length - 1
    const at = lines.findIndex(line => line.startsWith(`  --${name} `))
    const length = lines.slice(at + 1).findIndex(line => !line.startsWith('      '))
    const told = lines.slice(at + 1, at + 1 + length).join(' ')
    expect(`${name}: ${count(told)}`).toBe(`${name}: ${Math.max(count(description), fallback === '' ? 0 : 1)}`)
  }
})

test('descriptions are broken into lines that can be read', () => {
  const described = lines.filter(line => line.startsWith('      '))
  expect(described.length).toBeGreaterThan(definitions.length)
  expect(described.filter(line => line.length > 100)).toEqual([])
})

test('the statuses that are ours are explained', () => {
  expect(help).toMatch(/124 when a time limit was reached, 125 for a wrong request or a fault of ours/)
})
