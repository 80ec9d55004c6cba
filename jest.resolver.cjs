// The @actions packages are ESM-only and export no `require` condition: offer them the one they have.
module.exports = (request, options) =>
  options.defaultResolver(
    request,
    request.startsWith('@actions/') ? { ...options, conditions: ['node', 'import'] } : options
  )
