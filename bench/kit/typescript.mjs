// Lets the benchmarks import the test kit, which is TypeScript, without a build: `import './typescript.mjs'` first.
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
