// Module hooks (node:module) that find and transpile TypeScript as this project writes it: no endings in imports.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, isolatedModules: true }

export async function resolve(specifier, context, next) {
  if (/^\.\.?(\/|$)/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    for (const ending of ['.ts', '/index.ts']) {
      const url = new URL(specifier + ending, context.parentURL)
      if (existsSync(url)) return { url: url.href, shortCircuit: true }
    }
  }
  return next(specifier, context)
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  const file = fileURLToPath(url)
  const { outputText } = ts.transpileModule(await readFile(file, 'utf8'), { compilerOptions, fileName: file })
  // The tests run as CommonJS, which has these.
  const names = 'const __dirname = import.meta.dirname, __filename = import.meta.filename;'
  return { format: 'module', source: `${names}${outputText}`, shortCircuit: true }
}
