import { evaluateExpression, interpolate, isTruthy } from '../../kit/workflow-expressions'

const contexts = {
  steps: { pi: { outputs: { 'exit-code': '3', machine: 'aarch64' } } },
  matrix: { board: 'virt', 'odd name': 'x', preview: true, n: 0 }
}
const functions = {
  success: () => false,
  failure: () => true,
  format: (...values: readonly unknown[]) => values.length
}
const value = (text: string): unknown => evaluateExpression(text, contexts, functions)

test.each([
  ["'it''s'", "it's"],
  ['12', 12],
  ['true', true],
  ['null', null],
  ['matrix.board', 'virt'],
  ["matrix['odd name']", 'x'],
  ['steps.pi.outputs.exit-code', '3'],
  ['steps.pi.outputs.nothing', null],
  ['steps.nothing.outputs.machine', null],
  ["matrix.board == 'VIRT'", true],
  ["matrix.board != 'virt'", false],
  ["steps.pi.outputs.exit-code == 3 && matrix.board == 'virt'", true],
  ['matrix.nothing == 0', true],
  ["matrix.nothing || 'else'", 'else'],
  ["matrix.preview && 'yes' || 'no'", 'yes'],
  ['!(success() || matrix.n)', true],
  ['failure() && !success()', true],
  ["format('a', 1, matrix.board)", 3]
])('%s is %p', (text, expected) => {
  expect(value(text)).toEqual(expected)
})

test.each([
  ['secrets.TOKEN', 'there is no context `secrets` here'],
  ['hashFiles(1)', 'there is no function `hashFiles` here'],
  ['1 +', 'no expression'],
  ['(1', '`)` is missing'],
  ['matrix.', 'ends too early'],
  ['1 2', 'no expression: 2']
])('%s is refused: %s', (text, why) => {
  expect(() => value(text)).toThrow(why)
})

test('texts have their expressions replaced, and nothing else', () => {
  const text = 'a ${{ matrix.board }} with $HOME and ${{matrix.nothing}}$ {{ x }} ${{ matrix.preview }}'
  expect(interpolate(text, contexts)).toBe('a virt with $HOME and $ {{ x }} true')
  expect(() => interpolate('${{ matrix }}', contexts)).toThrow('an object has no text')
})

test('empty, zero, false and null are not true', () => {
  expect(['', 0, false, null, 'false', -1, {}].map(isTruthy)).toEqual([false, false, false, false, true, true, true])
})
