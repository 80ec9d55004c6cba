const { spawnSync } = require('node:child_process')
const { join } = require('node:path')

/** Tests of image handling need the product's own tools; the product installs those that a bare machine lacks. */
module.exports = () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, '../../dist/cli/index.js'), 'doctor', '--install'],
    { encoding: 'utf8' }
  )
  if (status !== 0) throw new Error(`the tools of the product cannot be installed:\n${stderr}`)
}
