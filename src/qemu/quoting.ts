/** Commas separate options in a QEMU argument; one that belongs to a value is doubled. */
export const value = (text: string): string => text.replaceAll(',', ',,')
