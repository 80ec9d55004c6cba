/** Status with which {@link binfmtScript} ends where the host has no binfmt_misc for us. */
export const refused = 97

/**
 * `sh -c binfmtScript NAME register FOLDER NOTE [ENTRY LINE …]` and `… withdraw FOLDER NOTE [ENTRY …]`, as root. One at a
 * time: the first to register notes how it found binfmt_misc, the last to leave puts that back. Kept as data, since the
 * committed bundle has to carry it; arguments, never text, carry what differs.
 */
export const binfmtScript = `set -u
do=$1 fs=$2 note=$3
shift 3
exec 9< "\${note%/*}" && flock 9 || exit ${refused}
drop() { [ ! -e "$fs/$1" ] || echo -1 > "$fs/$1"; }
case $do in
register)
  mounted=yes
  [ -e "$fs/register" ] || mounted=no
  if [ $mounted = no ]; then
    [ -e "$note" ] || echo "no enabled" > "$note"
    mount -t binfmt_misc binfmt_misc "$fs" || { rm -f "$note"; exit ${refused}; }
  fi
  status=$(cat "$fs/status")
  [ -e "$note" ] || echo "yes $status" > "$note"
  [ "$status" = enabled ] || echo 1 > "$fs/status"
  while [ $# -gt 1 ]; do
    drop "$1"
    printf %s "$2" > "$fs/register" || exit 1
    shift 2
  done
  ;;
withdraw)
  for name; do drop "$name"; done
  for left in "$fs"/pi-qemu-*; do [ ! -e "$left" ] || exit 0; done
  [ -e "$note" ] || exit 0
  read -r mounted status < "$note"
  [ "$status" = enabled ] || [ ! -e "$fs/status" ] || echo 0 > "$fs/status"
  if [ "$mounted" = no ]; then
    used=no
    for left in "$fs"/*; do case $left in */register | */status) ;; *) used=yes ;; esac; done
    [ $used = yes ] || [ ! -e "$fs/register" ] || umount "$fs"
  fi
  rm -f "$note"
  ;;
esac`
