const common = {
  testEnvironment: 'node',
  resolver: '<rootDir>/jest.resolver.cjs',
  transform: {
    '\\.[jt]s$': [
      'ts-jest',
      {
        tsconfig: {
          target: 'ES2022',
          module: 'commonjs',
          moduleResolution: 'node10',
          ignoreDeprecations: '6.0',
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          rootDir: '.',
          types: ['node', 'jest']
        }
      }
    ]
  },
  transformIgnorePatterns: ['/node_modules/(?!@actions/)'],
  setupFiles: ['<rootDir>/__tests__/kit/jest-setup.ts']
}

/** unit: pure decisions, no QEMU. dist: the committed bundles. e2e: real boots, one at a time. */
module.exports = {
  globalSetup: '<rootDir>/__tests__/kit/global-setup.cjs',
  // ms. Jest's own 5 s are short for tests that start tools on a busy host; real boots set more.
  testTimeout: 30_000,
  projects: ['unit', 'dist', 'e2e'].map(name => ({
    ...common,
    displayName: name,
    testMatch: [`<rootDir>/__tests__/${name}/**/*.test.ts`]
  }))
}
