import type { Get } from './containers'
import * as read from './readers'

/** Ways to look into a running Pi. Ports are on 127.0.0.1. */
export interface Debugging {
  /** QEMU's stub for gdb. */
  readonly gdb: GdbStub | undefined
  /** Whether the monitor and a QMP of their own have sockets. */
  readonly monitor: boolean
  /** Whether the serial consoles have sockets besides their files. */
  readonly serial: 'file' | 'socket'
  readonly vnc: number | undefined
  /** How long (ms) a Pi stays up whose boot or script failed. */
  readonly onFailure: number | undefined
}

export interface GdbStub {
  readonly port: number
  /** Whether no instruction is executed before gdb says so. */
  readonly waits: boolean
}

/** Port of VNC's display 0 (IANA's for RFB, the protocol); the others follow. */
export const vncBase = 5900

/** Reads the inputs for debugging. */
export function debugging(get: Get): Debugging {
  return {
    gdb: get('gdb', text => gdbStub(text.trim())),
    monitor: get('monitor', text => read.truth(text.trim())) ?? false,
    serial: get('serial', text => read.oneOf('file', 'socket')(text.trim())) ?? 'file',
    vnc: get('vnc', text => read.count(vncBase, 65535)(text.trim())),
    onFailure: get('debug-on-failure', text => minutes(text.trim()))
  }
}

function gdbStub(text: string): GdbStub {
  const [, port, waits] = /^(\d+)(,wait)?$/.exec(text) ?? []
  if (!(Number(port) >= 1 && Number(port) <= 65535))
    throw new read.Fault(`is “${text}”; valid: a port from 1 to 65535, and \`,wait\` behind it, such as 1234,wait`)
  return { port: Number(port), waits: waits !== undefined }
}

/** A duration in ms; a number alone is in minutes. */
function minutes(text: string): number {
  return read.duration(/^\d+(\.\d+)?$/.test(text) ? `${text}m` : text)
}
