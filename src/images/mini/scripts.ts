/**
 * The few shell scripts that run inside the guest: the initramfs's /init and the mini system's start-up. They are
 * written for busybox sh and kept as data here, because the committed bundle has to carry them.
 */

type ModuleLists = Readonly<Record<'raspi' | 'virt' | 'all', readonly string[]>>

/** /init of the initramfs: load drivers, find `root=`, hand over. What it says on failure is read by the diagnosis. */
export const initramfsInit = (modules: ModuleLists): string => `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1

root= init=/sbin/init flags= mode=ro fstype=ext4 modules=
set -- $(cat /proc/cmdline)
for word; do
  case $word in
    root=*) root=\${word#root=} ;;
    init=*) init=\${word#init=} ;;
    rootflags=*) flags=,\${word#rootflags=} ;;
    pi-qemu.modules=*) modules=\${word#pi-qemu.modules=} ;;
    rootfstype=*) fstype=\${word#rootfstype=} ;;
    rw) mode=rw ;;
    ro) mode=ro ;;
  esac
done

# busybox modprobe -a stops at the first module it does not know, and kernels differ in what is built in.
load() { for module; do modprobe -q "$module"; done; }
if grep -q brcm,bcm2 /proc/device-tree/compatible; then load ${modules.raspi.join(' ')}
else load ${modules.virt.join(' ')}; fi
load ${modules.all.join(' ')}

# PARTUUID of an MBR disk: the disk's signature at byte 440, and the partition's number.
find_partuuid() {
  for part in /sys/class/block/*/partition; do
    [ -e "$part" ] || continue
    dir=$(readlink -f "\${part%/partition}")
    disk=\${dir%/*}
    id=$(dd if=/dev/\${disk##*/} bs=1 skip=440 count=4 2>/dev/null | hexdump -e '1/4 "%08x"')
    [ "$id-$(printf %02x "$(cat "$part")")" = "$1" ] && echo "/dev/\${dir##*/}" && return
  done
}
find_root() {
  case $root in
    PARTUUID=*) find_partuuid "\${root#PARTUUID=}" ;;
    UUID=* | LABEL=*) findfs "$root" 2>/dev/null ;;
    *) [ -b "$root" ] && echo "$root" ;;
  esac
}
tries=0
until device=$(find_root) && [ -n "$device" ]; do
  tries=$((tries + 1))
  if [ $tries -gt 60 ]; then
    echo "ALERT! root device $root does not exist. Block devices: $(ls /sys/class/block | tr '\\n' ' ')"
    exit 1
  fi
  sleep 0.25
done

mount -t "$fstype" -o "$mode$flags" "$device" /mnt || { echo "ALERT! cannot mount $device as $fstype"; exit 1; }

# The image has modules for its own kernel only: ours are on a volume, and go where modprobe looks for them.
if [ -n "$modules" ]; then
  version=\${modules#*:}
  lib=/mnt/lib
  [ -L /mnt/lib ] && lib=/mnt/usr/lib
  mkdir -p /modules
  if mount -t ext4 -o ro "$(findfs "LABEL=\${modules%%:*}")" /modules; then
    if mkdir -p "$lib/modules/$version" 2>/dev/null; then mount --bind "/modules/$version" "$lib/modules/$version"
    else mount --bind /modules "$lib/modules"; fi || echo "kernel modules could not be put in place"
    umount -l /modules
  else echo "the volume with the kernel modules is not there"; fi
fi
mount --move /dev /mnt/dev
umount /sys /proc
exec switch_root /mnt "$init"
`

/** /etc/inittab of the mini system: root's shell on the console, which nobody but the Pi's user reaches. */
export const miniInittab = `::sysinit:/etc/init.d/rcS
::askfirst:-/bin/sh
::shutdown:/bin/umount -a -r
::ctrlaltdel:/sbin/poweroff
`

/** /etc/init.d/rcS of the mini system: just what a login over SSH needs. */
export const miniStartup = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=0620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=0755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
hostname -F /etc/hostname
ip link set lo up

# The time the host gave on the kernel command line: a Pi has no clock of its own.
clock=$(sed -n 's/.*systemd\\.clock_usec=\\([0-9]*\\)[0-9]\\{6\\}.*/\\1/p' /proc/cmdline)
[ -n "$clock" ] && date -s "@$clock" >/dev/null

nic= tries=0
while [ -z "$nic" ] && [ $tries -lt 80 ]; do
  for dir in /sys/class/net/*; do
    case \${dir##*/} in eth* | usb* | en*) nic=\${dir##*/} ;; esac
  done
  [ -n "$nic" ] || sleep 0.25
  tries=$((tries + 1))
done
if [ -z "$nic" ]; then
  echo "mini: no network interface appeared"
else
  ip link set "$nic" up
  udhcpc -i "$nic" -n -q -t 10 -T 1 -s /usr/share/udhcpc/default.script || echo "mini: no DHCP lease on $nic"
fi

# A guest that is to be continued later gets its keys from the host then, and SSH with them.
if grep -qw pi-qemu.hold /proc/cmdline && [ -x /etc/pi-qemu/agent ]; then
  /etc/pi-qemu/agent </dev/null &
else
  for start in /etc/rc.d/*; do
    [ -x "$start" ] && "$start"
  done
fi
echo "mini: up after $(cut -d' ' -f1 /proc/uptime) s"
`

/** What udhcpc calls with the lease. */
export const miniDhcpScript = `#!/bin/sh
case $1 in
  bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/\${mask:-24}" dev "$interface"
    [ -n "$router" ] && ip route add default via "\${router%% *}"
    : > /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
    ;;
esac
`

/** Starts dropbear on the keys of this run, if the image was given any. */
export const miniSshStart = `#!/bin/sh
key=/etc/pi-qemu/dropbear_host_key
[ -s "$key" ] || { echo "mini: no SSH host key, sshd not started"; exit 0; }
mkdir -p /root/.ssh
chmod 700 /root /root/.ssh
cp /etc/pi-qemu/authorized_keys /root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
dropbear -s -r "$key" -P /run/dropbear.pid
`
