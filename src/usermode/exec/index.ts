export { cpuFacts } from './cpus'
export { builtForMore, checkLibraries, platformOf, readProgram, type Program } from './program'
export { runProgram, type ExecRequest, type ExecResult } from './run'
