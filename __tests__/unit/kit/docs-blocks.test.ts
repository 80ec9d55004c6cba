import { execFileSync, spawnSync } from 'node:child_process'
import { asScript, blocksOf, missingLines } from '../../kit/docs-blocks'

const page = `Text.

<!-- run: hello.c, image=mini-arm64 -->
\`\`\`sh
echo one \\
  two
\`\`\`

<!-- output -->

\`\`\`
one…
\`\`\`

1. In a list:

   <!-- not run: it publishes -->
   \`\`\`sh
   git push
     indented
   \`\`\`

<!-- something else -->
\`\`\`yaml
a: 1
\`\`\`
\`\`\`sh
unmarked
\`\`\`
`

test('blocks have their place, their text and what the comment in front of them says', () => {
  expect(blocksOf('a.md', page)).toEqual([
    {
      ...{ file: 'a.md', line: 4, language: 'sh', text: 'echo one \\\n  two', output: ['one…'] },
      marker: { kind: 'run', needs: ['hello.c'], inputs: { image: 'mini-arm64' } }
    },
    {
      ...{ file: 'a.md', line: 18, language: 'sh', text: 'git push\n  indented', output: [] },
      marker: { kind: 'not run', reason: 'it publishes' }
    },
    { file: 'a.md', line: 24, language: 'yaml', text: 'a: 1', marker: undefined, output: [] },
    { file: 'a.md', line: 27, language: 'sh', text: 'unmarked', marker: undefined, output: [] }
  ])
  expect(() => blocksOf('a.md', '```sh\nno end')).toThrow('a.md:1: the block has no end')
})

test('a status that is announced has to come; any other is a failure', () => {
  const run = (text: string): number | null => spawnSync('bash', ['-e', '-c', asScript(text)]).status
  expect(run('sh -c "exit 3"   # status 3, and why\ntrue')).toBe(0)
  expect(run('sh -c "exit 4"   # status 3')).toBe(1)
  expect(run('true             # status 3')).toBe(1)
  expect(run('false\ntrue')).toBe(1)
  expect(execFileSync('bash', ['-e', '-c', asScript('echo a # status of nothing')], { encoding: 'utf8' })).toBe('a\n')
})

test('lines are looked for in their order', () => {
  const output = 'QEMU 10.0.13\na (b)\nend \n'
  expect(missingLines(['QEMU …', 'a (b)', 'end'], output)).toEqual([])
  expect(missingLines(['a (b)', 'QEMU …'], output)).toEqual(['QEMU …'])
  expect(missingLines(['a .b.'], output)).toEqual(['a .b.'])
})
