#!/bin/sh
# Assembles the sources beside it and prints them as the words that src/usermode holds.
# Needs binutils, binutils-aarch64-linux-gnu and binutils-arm-linux-gnueabi.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for source in *.s; do
  case $source in
    *-aarch64.s) tools=aarch64-linux-gnu- ;;
    *-arm.s) tools=arm-linux-gnueabi- ;;
    *) tools= ;;
  esac
  "${tools}as" -o "$scratch/o" "$source"
  "${tools}objcopy" -O binary "$scratch/o" "$scratch/bytes"
  echo "$source"
  od -An -v -tx4 -w4 "$scratch/bytes" | sed 's/^ */  0x/; s/$/,/'
done
