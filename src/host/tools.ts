/** Whether we run as root, and so need no sudo. */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}
