// Prints the changelog's section for a tag: `node scripts/release-notes.mjs v1.2.3 [FOLDER]`. Fails if there is none, or if
// package.json has another version.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const [tag = '', folder = join(dirname(fileURLToPath(import.meta.url)), '..')] = process.argv.slice(2)
const read = name => readFileSync(join(resolve(folder), name), 'utf8')

function notes() {
  const version = /^v(\d+\.\d+\.\d+)$/.exec(tag)?.[1]
  if (version === undefined) throw new Error(`“${tag}” is no tag of a version; valid: v1.2.3`)
  const packaged = JSON.parse(read('package.json')).version
  if (packaged !== version) throw new Error(`package.json has version ${packaged}, and the tag is ${tag}`)
  const [, ...sections] = read('CHANGELOG.md').split(/^## /m)
  const section = sections.find(text => text.startsWith(`[${version}]`))
  // The links at the end of the file are no part of the last section.
  const body = section?.slice(section.indexOf('\n')).replace(/^\[[^\]]+\]: .*$/gm, '')
  if (!body?.trim()) throw new Error(`CHANGELOG.md has nothing about ${version}`)
  return body.trim()
}

try {
  console.log(notes())
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
