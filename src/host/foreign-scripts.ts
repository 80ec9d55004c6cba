/**
 * The shell that opens a private namespace, kept as data because the committed bundle has to carry it. Arguments, never
 * text, carry what differs.
 */

/** Exit status of {@link privateNamespace} when the host does not allow such a namespace; its stderr says what failed. */
export const refusedStatus = 97

/**
 * Inside, as root of the namespace and process 1: a memory file system on folder `$2`, the binfmt_misc handler `$1` (if
 * any), then the command.
 */
const inner = `set -u
refuse() { echo "$1" >&2; exit ${refusedStatus}; }
mount -t tmpfs -o mode=0755 scratch "$2" || refuse "a memory file system cannot be mounted"
if [ -n "$1" ]; then
  fs=/proc/sys/fs/binfmt_misc
  mount -t binfmt_misc binfmt_misc $fs || refuse "binfmt_misc cannot be mounted"
  printf %s "$1" > $fs/register || refuse "the handler was not accepted"
fi
shift 2
exec "$@"`

/** A program that starts without a mapping has lost its rights: they come back with the first exec after it is there. */
const waiting = `until grep -q . /proc/self/uid_map && grep -q . /proc/self/gid_map; do sleep 0.02; done
exec unshare --mount --pid --fork --kill-child --mount-proc "$@"`

/**
 * `bash -c privateNamespace NAME HANDLER FOLDER COMMAND…`, as root: runs the command in new user, mount and process
 * namespaces in which users are numbered as on the host. The end of standard input, which is also the end of the one
 * who started it, ends all that is inside.
 */
export const privateNamespace = `set -u
exec 3<&0 </dev/null
unshare --user bash -c '${waiting}' waiting bash -c '${inner}' inner "$@" 3<&- &
space=$!
until [ "$(readlink /proc/$space/ns/user)" != "$(readlink /proc/$$/ns/user)" ]; do
  kill -0 $space 2>/dev/null || exit ${refusedStatus}
  sleep 0.02
done
{ echo "0 0 65536" > /proc/$space/uid_map && echo "0 0 65536" > /proc/$space/gid_map; } || { kill -9 $space; exit ${refusedStatus}; }
{ cat <&3 >/dev/null 3<&-; kill -9 $space; } &
watch=$!
exec 3<&-
wait $space
status=$?
kill $watch 2>/dev/null
exit $status`

/**
 * In a namespace: unpacks archive `$2` to the folder `root` of the memory file system `$1`, lays the tree `$3` over it as
 * root's, and calls the rest, which makes a file system of it. Device nodes cannot be made in a namespace and are left out: the
 * kernel has them in its own /dev.
 */
export const packRoot = `set -eu
mkdir "$1/root"
tar --extract --preserve-permissions --numeric-owner --xattrs --xattrs-include="*" --exclude="./dev/*" --file "$2" -C "$1/root"
chmod -R u=rwX,go=rX "$3"
cp -r --no-preserve=ownership "$3/." "$1/root"
shift 3
exec "$@"`
