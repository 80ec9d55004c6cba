import { accessSync, constants, existsSync, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ElfKind } from '../../host/elf'
import { BadInput, HostFailure, messageOf } from '../../report/errors'
import { platform, platforms, type Platform } from '../platforms'
import { armAttributes, builtFor } from './arm-attributes'
import { cpuFacts } from './cpus'
import { debianNames, packageOf } from './debian-names'
import { interpreterOf } from './dynamic'
import { lookInto } from './elf-reader'
import { neededFiles, type Missing } from './needed'

/** A program as its file shows it. */
export interface Program {
  readonly path: string
  readonly kind: ElfKind
  /** Full path of its dynamic loader; undefined for a static program. */
  readonly loader: string | undefined
}

/** Machines by e_machine (elf(5)), for messages. */
const machines: Readonly<Record<number, string>> = {
  3: 'x86 (32-bit)',
  8: 'MIPS',
  21: 'PowerPC (64-bit)',
  22: 's390x',
  40: 'Arm (32-bit)',
  62: 'x86-64',
  183: 'Arm (64-bit)',
  243: 'RISC-V'
}

/**
 * Reads what a program is.
 * @throws BadInput for what is no program
 */
export function readProgram(path: string): Program {
  const wrong = (what: string): BadInput => new BadInput([`\`${path}\` ${what}`])
  if (!existsSync(path)) throw wrong('does not exist; give the path of the program')
  if (!statSync(path).isFile()) throw wrong('is no file; give the path of the program')
  const look = looking(path, wrong)
  if (look === undefined)
    throw wrong('is no ELF program; scripts start their interpreter by handlers: see `pi-qemu binfmt install`')
  if (look.type !== 2 && look.type !== 3)
    throw wrong(look.type === 1 ? 'is an object file; link it first' : 'is an ELF file, but no program')
  try {
    accessSync(path, constants.X_OK)
  } catch {
    throw wrong('may not be executed by this user; chmod +x makes it so')
  }
  return { path, kind: look.kind, loader: look.loader }
}

function looking(
  path: string,
  wrong: (what: string) => BadInput
): { readonly kind: ElfKind; readonly type: number; readonly loader: string | undefined } | undefined {
  try {
    return lookInto(path, elf => {
      const { bits, order, machine, type } = elf
      return { kind: { bits, order, machine }, type, loader: interpreterOf(elf) }
    })
  } catch (error) {
    throw wrong(`cannot be read: ${messageOf(error)}`)
  }
}

/**
 * The platform to run a program as: the one that was asked for, or what its file tells. 32-bit Arm is ARMv7 then, since
 * most programs carry that much.
 * @throws BadInput if the program is another machine's
 */
export function platformOf({ path, kind }: Program, wanted?: Platform): Platform {
  const fits = ({ emulator: { elf } }: Platform): boolean =>
    elf.machine === kind.machine && elf.bits === kind.bits && elf.order === kind.order
  const valid = platforms.filter(fits)
  if (wanted !== undefined && fits(wanted)) return wanted
  const told = valid.some(({ name }) => name === 'linux/arm/v7') ? platform('linux/arm/v7') : valid[0]
  if (wanted === undefined && told !== undefined) return told
  const machine = machines[kind.machine] ?? `machine ${kind.machine} of elf.h`
  const what = `\`${path}\` is a program for ${machine}${kind.order === 'big' && kind.machine === 40 ? ', big-endian' : ''}`
  const names = (list: readonly Platform[]): string => list.map(({ name }) => name).join(', ')
  throw new BadInput([
    valid.length > 0
      ? `${what}, and not for \`--platform ${wanted?.name ?? ''}\`; valid for it: ${names(valid)}`
      : `${what}, of which there is no emulator here; valid are programs for ${names(platforms)}`
  ])
}

/**
 * Makes sure that a dynamic program finds its loader and libraries. Returns the files, on the host, that it is made of.
 * @throws BadInput without a sysroot, HostFailure for one that lacks something
 */
export function checkLibraries(
  program: Program,
  sysroot: string | undefined,
  libraryPath: readonly string[]
): readonly string[] {
  const { path, kind, loader } = program
  if (loader === undefined) return [path]
  const debian = debianNames(loader)
  if (sysroot === undefined) {
    throw new BadInput([
      `\`${path}\` is no static program: it needs ${loader} and libraries; give \`--sysroot\` a folder that has them, such as a Pi's root file system`
    ])
  }
  const triplets = debian === undefined ? [] : [debian.triplet]
  const { missing, found } = neededFiles({ program: path, sysroot, kind, triplets, libraryPath })
  const [first] = missing
  if (first?.what === 'loader') throw noLoader(program, loader, sysroot)
  if (first !== undefined) throw noLibrary(missing, sysroot, debian?.architecture)
  return found
}

/** Files that say that they were built for more than a CPU has. 64-bit ones do not say. */
export function builtForMore(files: readonly string[], cpu: string): readonly string[] {
  const facts = cpuFacts(cpu)
  if (facts === undefined) return []
  return files.filter(file => {
    const attributes = lookInto(file, elf => (elf.machine === 40 ? armAttributes(elf) : undefined))
    const built = attributes && builtFor(attributes)
    return built !== undefined && built.age > facts.age
  })
}

function noLoader({ path }: Program, loader: string, sysroot: string): HostFailure {
  const wanted = debianNames(loader)?.architecture
  const link = linkThatLeadsNowhere(join(sysroot, loader))
  const others = loadersIn(sysroot)
  return new HostFailure({
    symptom: `${path} needs the dynamic loader ${loader}, which ${sysroot} does not have`,
    cause:
      link !== undefined
        ? `it is a link to ${link} there, which leads out of the sysroot`
        : others.length > 0
          ? `the sysroot is another system's: ${others.map(name => described(name)).join(', ')}`
          : 'the folder is no root file system, or one without a C library',
    remedy:
      link !== undefined
        ? 'make the links of the sysroot relative'
        : `give the root file system of a ${wanted === undefined ? 'system with this loader' : `Debian or Raspberry Pi OS for ${wanted}`}`
  })
}

const described = (loader: string): string => {
  const architecture = debianNames(loader)?.architecture
  return architecture === undefined ? loader : `${loader} (${architecture})`
}

function linkThatLeadsNowhere(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
  } catch {
    return undefined
  }
}

function loadersIn(sysroot: string): readonly string[] {
  const folder = join(sysroot, 'lib')
  return existsSync(folder) ? readdirSync(folder).filter(name => /^ld(-linux.*|-musl.*|64)\.so\.\d+$/.test(name)) : []
}

function noLibrary(missing: readonly Missing[], sysroot: string, architecture: string | undefined): HostFailure {
  const named = missing.map(({ name, neededBy }) => `${name} (for ${neededBy})`).join(', ')
  const packages = [...new Set(missing.map(({ name }) => packageOf(name) ?? ''))].filter(Boolean)
  const suffix = architecture === undefined ? '' : `:${architecture}`
  const guess = packages.map(name => `${name}${suffix}`).join(' ')
  return new HostFailure({
    symptom: `${sysroot} lacks ${missing.length === 1 ? 'a shared library' : 'shared libraries'}: ${named}`,
    cause: 'the sysroot is not of the system that the program was linked for, or a package was not installed in it',
    remedy: `install in the sysroot's image the package that has it${guess === '' ? '' : ` (by Debian's rule for names: ${guess})`}; for a folder of your own: --env LD_LIBRARY_PATH=FOLDER`
  })
}
