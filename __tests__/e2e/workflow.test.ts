import { RunnerJob } from '../kit/runner'

/** What a script tells the job by the files and commands that every step has. */
jest.setTimeout(900_000)

const script = `
echo "answer=42 from $RUNNER_ARCH" >> "$GITHUB_OUTPUT"
printf 'text<<END\\ntwo\\nlines\\nEND\\n' >> "$GITHUB_OUTPUT"
echo "FROM_PI=$(uname -m)" >> "$GITHUB_ENV"
mkdir -p bin
echo "$GITHUB_WORKSPACE/bin" >> "$GITHUB_PATH"
echo /opt/not-here >> "$GITHUB_PATH"
echo "### Seen on the Pi" >> "$GITHUB_STEP_SUMMARY"
echo "::error file=a.c,line=3::from the Pi"
echo "$CI $GITHUB_ACTIONS $RUNNER_OS $GITHUB_JOB [$GITHUB_TOKEN] [$GITHUB_EVENT_PATH]"
exit 3
`

test.each([
  ['a booted Pi', { board: 'virt', image: 'mini-arm64' }],
  ['a root file system', { mode: 'user', image: 'mini-arm64' }]
])('%s: outputs, variables, PATH and summary arrive in the job; commands pass', async (_, inputs) => {
  const job = await RunnerJob.create({ env: { GITHUB_TOKEN: 'secret' } })
  try {
    const step = job.step({ ...inputs, env: 'inherit-github', run: script })
    const result = await step.main()
    await step.post()
    expect([result.code, result.outputs['exit-code']]).toEqual([3, '3'])
    expect(result.outputs).toMatchObject({ answer: '42 from ARM64', text: 'two\nlines' })
    expect(result.env).toEqual({ FROM_PI: 'aarch64' })
    expect(result.path).toEqual([`${job.workspace}/bin`])
    expect(result.summary).toContain('### Seen on the Pi')
    expect(result.stdout).toMatch(/^true true Linux test \[\] \[\]$/m)
    expect(result.log).toContain('GITHUB_PATH: /opt/not-here is not in the workspace')
    expect(step.commands).toContainEqual(
      expect.objectContaining({ name: 'error', properties: { file: 'a.c', line: '3' }, message: 'from the Pi' })
    )
  } finally {
    expect(await job.dispose()).toEqual([])
  }
})
