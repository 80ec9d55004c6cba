/**
 * What happens at the first boot of Raspberry Pi OS, written from what the originals are known to do; none of it is
 * theirs. All of it runs in the guest, on real partitions.
 */

const start = `#!/bin/bash
# Stand-in of the test kit; see __tests__/kit/look-alikes.
`

/** Variables that tell the disk, its root partition and the boot partition's mount point. */
const where = `root=$(findmnt -no SOURCE /)
number=$(cat /sys/class/block/\${root#/dev/}/partition)
disk=/dev/$(basename "$(dirname "$(readlink -f /sys/class/block/\${root#/dev/})")")
`

/** A new signature in the MBR, and its new name wherever the old one was used. */
const newDiskId = (boot: string): string => `old=$(od -An -tx4 -j440 -N4 $disk | tr -d ' ')
head -c4 /dev/urandom | dd of=$disk bs=1 seek=440 conv=notrunc status=none
new=$(od -An -tx4 -j440 -N4 $disk | tr -d ' ')
sed -i "s/$old/$new/g" /etc/fstab ${boot}/cmdline.txt
echo "look-alike: disk ID $new instead of $old"
`

const reboot = (boot: string): string => `sync
umount ${boot}
mount -o remount,ro /
sync
reboot -ff
sleep 60
`

/** As init instead of systemd: nothing is mounted yet but the root, read-only. */
const asInit = (boot: string): string => `export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mount ${boot}
mount -o remount,rw /
`

/** bullseye (raspi-config): grows the partition only; the file system follows at the next boot. */
export const initResize = `${start}${asInit('/boot')}${where}sed -i 's| init=/usr/lib/raspi-config/init_resize\\.sh||; s| quiet||' /boot/cmdline.txt
echo "look-alike: growing partition $number of $disk"
echo ', +' | sfdisk --quiet --no-reread --force -N "$number" "$disk"
${newDiskId('/boot')}${reboot('/boot')}`

/** bookworm (raspberrypi-sys-mods): partition, file system, SSH host keys, disk ID. */
export const firstboot = `${start}${asInit('/boot/firmware')}${where}sed -i 's| init=/usr/lib/raspberrypi-sys-mods/firstboot||; s| quiet||' /boot/firmware/cmdline.txt
echo "look-alike: growing partition $number of $disk"
echo ', +' | sfdisk --quiet --no-reread --force -N "$number" "$disk"
partx --update --nr "$number" "$disk"
resize2fs "$root"
/usr/lib/raspberrypi-sys-mods/regenerate_ssh_host_keys
${newDiskId('/boot/firmware')}${reboot('/boot/firmware')}`

export const regenerateKeys = `${start}rm -f /etc/ssh/ssh_host_*_key*
ssh-keygen -A >/dev/null
systemctl -q disable regenerate_ssh_host_keys 2>/dev/null || true
touch /var/lib/look-alike-keys
`

/** bullseye's script for the file system, old style: it takes itself out. */
export const resizeOnce = `#!/bin/sh
### BEGIN INIT INFO
# Provides: resize2fs_once
# Required-Start:
# Required-Stop:
# Default-Start: 3
# Default-Stop:
# Short-Description: Grow the root file system (stand-in of the test kit)
### END INIT INFO
[ "$1" = start ] || exit 0
resize2fs "$(findmnt -no SOURCE /)"
rm -f /etc/rc3.d/S01resize2fs_once /etc/init.d/resize2fs_once
`

/**
 * The wizard: with userconf.txt it sets the password and goes; without, it asks on a terminal, and waits for ever.
 * The original would rename the user as well.
 */
export const userconfService = (boot: string): string => `${start}file=${boot}/userconf.txt
if [ -f $file ]; then
  IFS=: read -r user hash < $file
  printf '%s:%s\\n' "$user" "$hash" | chpasswd -e
  rm $file
  echo "look-alike: password of $user set"
else
  echo "Please enter new username:"
  read -r user
fi
systemctl -q disable userconfig
touch /var/lib/look-alike-userconf
`

export const userconfigUnit = `[Unit]
Description=User configuration dialog (stand-in)
After=systemd-user-sessions.service
[Service]
Type=oneshot
ExecStart=/usr/lib/userconf-pi/userconf-service
StandardInput=tty
StandardOutput=tty
TTYPath=/dev/tty8
TTYReset=yes
TTYVHangup=yes
[Install]
WantedBy=multi-user.target
`

export const regenerateUnit = `[Unit]
Description=Regenerate SSH host keys (stand-in)
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/usr/lib/raspberrypi-sys-mods/regenerate_ssh_host_keys
[Install]
WantedBy=multi-user.target
`

/** trixie: the partition has grown in the initramfs by now. */
export const rpiResizeUnit = `[Unit]
Description=Grow root filesystem on first boot (stand-in)
DefaultDependencies=no
After=systemd-remount-fs.service
Before=first-boot-complete.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/systemd/systemd-growfs /
ExecStartPost=/usr/bin/systemctl disable %n
[Install]
WantedBy=sysinit.target
`

/** Switches SSH on where the boot partition has a file called ssh. */
export const sshswitchUnit = (boot: string): string => `[Unit]
Description=Turn on SSH if ${boot}/ssh is present (stand-in)
ConditionPathExistsGlob=${boot}/ssh{,.txt}
[Service]
Type=oneshot
ExecStart=/bin/sh -c "systemctl enable --now ssh; rm -f ${boot}/ssh ${boot}/ssh.txt"
[Install]
WantedBy=multi-user.target
`

/**
 * trixie's \`resize\` argument, in busybox sh for the initramfs: before the root is mounted its partition takes the rest
 * of the disk; afterwards the disk gets a new ID, and cmdline.txt forgets the argument.
 */
export const initramfsResize = {
  beforeMount: `resize=
for word in $(cat /proc/cmdline); do [ "$word" = resize ] && resize=yes; done
little() { printf "\\\\x$(printf %02x $(($1 & 255)))\\\\x$(printf %02x $(($1 >> 8 & 255)))\\\\x$(printf %02x $(($1 >> 16 & 255)))\\\\x$(printf %02x $(($1 >> 24 & 255)))"; }
if [ -n "$resize" ]; then
  part=\${device#/dev/}
  whole=$(readlink -f /sys/class/block/$part); whole=\${whole%/*}; whole=\${whole##*/}
  # The second row of the MBR's table ends with its size in sectors.
  little $(($(cat /sys/class/block/$whole/size) - $(cat /sys/class/block/$part/start))) | dd of=/dev/$whole bs=1 seek=474 conv=notrunc 2>/dev/null
  blockdev --rereadpt /dev/$whole
  tries=0
  until device=$(find_root) && [ -n "$device" ] || [ $tries -gt 40 ]; do tries=$((tries + 1)); sleep 0.1; done
  echo "look-alike: $device grown in the initramfs"
fi
`,
  afterMount: `if [ -n "$resize" ]; then
  mount -o remount,rw "$device" /mnt
  mount --bind /dev /mnt/dev; mount --bind /proc /mnt/proc; mount --bind /sys /mnt/sys
  cat > /mnt/run-new-id <<'END'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
boot=/dev/$1
disk=/dev/$2
# The kernel would look for them in the initramfs.
modprobe -a vfat nls_cp437 nls_ascii
mount -t vfat $boot /boot/firmware || exit 1
${newDiskId('/boot/firmware')}sed -i 's| resize||g' /boot/firmware/cmdline.txt
umount /boot/firmware
END
  chroot /mnt /bin/bash /run-new-id "\${part%2}1" "$whole"
  rm /mnt/run-new-id
  umount /mnt/sys /mnt/proc /mnt/dev
  mount -o remount,ro "$device" /mnt
fi
`
} as const
