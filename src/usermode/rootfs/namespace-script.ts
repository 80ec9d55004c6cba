import { firstProcess } from './first-process'

/**
 * The program that enters an image's root file system. Perl, since it is on every Debian and Ubuntu (perl-base is
 * essential there) and can make the system calls for which util-linux has no command yet: idmapped mounts and pivot_root.
 * Kept as data, since the committed bundle has to carry it; arguments `name=value`, never text, carry what differs.
 *
 * As root, in a mount namespace of its own, so that whatever happens nothing of its mounts or loop devices outlives it:
 * the root partition (`disk`, `offset`, `size`) is mounted below `at`: read-only with an overlay on it, or with
 * `write` itself. Then, in namespaces for users, processes, mounts and host name, with `private` for handlers, it becomes the root, and `user`
 * runs /run/pi-qemu/start there. Process 1 is this program: it reaps, and with its end all that is left inside ends.
 *
 * With `unprivileged` it is root of a user, mount and process namespace already, and nobody outside: the partition is mounted by fuse2fs.
 *
 * A line on standard input, or its end, ends the script: TERM, two seconds, KILL. How the script ended goes to the file
 * `at`/status: `exit N`, `signal N`, or `refused PART: why`, where PART is what this host does not allow; before it, lines
 * `note …` for the log.
 */
export const namespaceScript = String.raw`
use strict;
use POSIX qw(:sys_wait_h setsid);
my %o = map { my ($name, $value) = split /=/, $_, 2; $name => $value } @ARGV;
my %call = map { my ($name, $number) = split /:/; $name => $number + 0 } split /,/, $o{calls};
my ($at, $root) = ($o{at}, "$o{at}/root");
my ($newuser, $newns, $newpid, $newuts, $newipc) = (0x10000000, 0x20000, 0x20000000, 0x4000000, 0x8000000);

open my $status, '+<', "$at/status" or die "$at/status: $!";
$status->autoflush(1);
sub refuse { my ($part, $why) = @_; $why =~ s/\s+$//; print $status "refused $part: $why\n"; exit 97 }
sub call { my ($name, @args) = @_; return syscall($call{$name}, @args) }
sub tried { my (@command) = @_;
  open my $save, '>&', \*STDERR; open STDERR, '>', "$at/stderr";
  my $code = system @command;
  open STDERR, '>&', $save;
  return $code == 0 }
sub must { my ($part, @command) = @_; tried(@command) or refuse($part, join ' ', "@command:", read_lines("$at/stderr")) }
sub mounted { must('mount', 'mount', '-n', @_) }
sub folder { my ($path) = @_; must('mount', 'mkdir', '-p', $path) unless -d $path }
sub text { my ($path, @lines) = @_; open my $file, '>', $path or refuse('write', "$path: $!"); print $file @lines; close $file }
sub read_lines { my ($path) = @_; open my $file, '<', $path or return (); return <$file> }

# Where a path of the image leads, its links followed inside of it.
sub inside {
  my ($path, $depth) = (@_, 0);
  my ($done, @rest) = ('', grep { $_ ne '' && $_ ne '.' } split m{/}, $path);
  while (defined(my $part = shift @rest)) {
    if ($part eq '..') { $done =~ s{/[^/]*$}{}; next }
    my $next = "$done/$part";
    if (-l "$root$next") {
      refuse('write', "$path: links without an end") if ++$depth > 40;
      my $link = readlink "$root$next";
      $done = '' if $link =~ m{^/};
      unshift @rest, grep { $_ ne '' && $_ ne '.' } split m{/}, $link;
    } else { $done = $next }
  }
  return "$root$done";
}

my $unprivileged = $o{unprivileged};
$unprivileged or call('unshare', $newns) == 0 or refuse('mount', "a mount namespace: $!");
mounted('--make-rprivate', '/');
my $options = "loop,offset=$o{offset},sizelimit=$o{size}";
if ($o{write}) {
  folder($root);
  if ($unprivileged) { must('mount', 'fuse2fs', '-o', "rw,allow_other,default_permissions,offset=$o{offset}", $o{disk}, $root) }
  else { mounted('-t', 'ext4', '-o', $options, $o{disk}, $root) }
} else {
  folder("$at/$_") for qw(lower upper work root);
  if ($unprivileged) { must('mount', 'fuse2fs', '-o', "ro,offset=$o{offset}", $o{disk}, "$at/lower") }
  else { mounted('-t', 'ext4', '-o', "ro,noload,$options", $o{disk}, "$at/lower") }
  my $layers = "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work";
  mounted('-t', 'overlay', '-o', $unprivileged ? "$layers,userxattr" : $layers, 'overlay', $root);
}
if ($o{write} && $o{bootmount} && !$unprivileged) {
  my $place = inside($o{bootmount});
  folder($place);
  my @boot = ('-t', 'vfat', '-o', "loop,offset=$o{bootoffset},sizelimit=$o{bootsize}", $o{disk}, $place);
  print $status "note the boot partition is not mounted: this kernel has no vfat\n" if !tried('mount', '-n', @boot);
}

# Files of the user's, each as FROM, TO and MODE in a list.
my @files = map { chomp; $_ } read_lines("$at/files");
while (my ($from, $to, $mode) = splice @files, 0, 3) {
  my $target = inside($to);
  my ($above) = $target =~ m{^(.*)/};
  folder($above);
  must('write', 'cp', '--remove-destination', '--', $from, $target);
  must('write', 'chown', '0:0', $target);
  must('write', 'chmod', $mode, $target);
}

# As root, outside of the image still: none of its links may lead us to files of the host.
my ($sys, $dev, $run) = map { inside($_) } qw(/sys /dev /run);
folder($_) for $sys, $dev, $run, inside('/proc');
mounted('--rbind', '/sys', $sys);
call('mount_setattr', -100, $sys, 0x8000, pack('QQQQ', 1, 0, 0, 0), 32); # read-only, all that is below
mounted('-t', 'tmpfs', '-o', 'mode=755,nosuid', 'dev', $dev);
for my $device (qw(null zero full random urandom tty)) {
  text("$dev/$device");
  mounted('--bind', "/dev/$device", "$dev/$device");
}
mkdir "$dev/$_" for qw(pts shm);
mounted('-t', 'tmpfs', '-o', 'mode=1777,nosuid,nodev', 'shm', "$dev/shm");
mounted('-t', 'devpts', '-o', 'newinstance,ptmxmode=666,mode=620,gid=5', 'devpts', "$dev/pts");
symlink $_->[1], "$dev/$_->[0]"
  for ['ptmx', 'pts/ptmx'], ['fd', '/proc/self/fd'], ['stdin', 'fd/0'], ['stdout', 'fd/1'], ['stderr', 'fd/2'];
# The script's files, and nothing that outlives it; /tmp is on the disk, since builds fill it.
mounted('-t', 'tmpfs', '-o', 'mode=755,nosuid,nodev', 'run', $run);
mkdir "$at/tmp"; chmod 01777, "$at/tmp";
mounted('--bind', "$at/tmp", inside('/tmp'));
mkdir "$run/$_" for qw(lock pi-qemu); chmod 01777, "$run/lock";
must('write', 'cp', '-r', "$at/guest/.", "$run/pi-qemu");
must('write', 'chown', '-R', "$o{uid}:$o{gid}", "$run/pi-qemu");
must('write', 'chmod', '-R', 'go=', "$run/pi-qemu");
if ($o{collected}) {
  mkdir "$run/pi-qemu-out";
  mounted('--bind', $o{collected}, "$run/pi-qemu-out");
}

# Names are looked up as on the host.
my $resolver = inside('/etc/resolv.conf');
my ($above) = $resolver =~ m{^(.*)/};
folder($above);
my $made = !-e $resolver;
text($resolver) if $made;
text("$at/resolv.conf", read_lines('/etc/resolv.conf'));
mounted('--bind', "$at/resolv.conf", $resolver);
# No service is started by its package: nothing here would ever end it.
my $refusal = "#!/bin/sh\nexit 101\n";
my $policy = inside('/usr/sbin/policy-rc.d');
my $own = !-e $policy && -d inside('/usr/sbin');
if ($own) { text($policy, $refusal); chmod 0755, $policy }

my ($keeper, $keeps);
if ($o{workspace}) {
  my $place = inside($o{workspace});
  folder($place);
  my $copy = $o{workspacemode} eq 'copy';
  my $bound = $copy ? "$at/workspace-lower" : $place;
  folder($bound);
  mounted('--rbind', $o{source}, $bound);
  owners_swapped($bound) if $o{owneruid} != $o{uid} && $o{uid} != 0;
  if ($copy) {
    folder("$at/$_") for qw(workspace-upper workspace-work);
    chown $o{uid}, $o{gid}, "$at/workspace-upper";
    my @layers = ("lowerdir=$bound", "upperdir=$at/workspace-upper", "workdir=$at/workspace-work");
    mounted('-t', 'overlay', '-o', join(',', @layers), 'overlay', $place);
  }
}
# What is the owner's on the host is the user's inside, and the other way round.
sub owners_swapped {
  my ($place) = @_;
  pipe my $ready, my $tell; pipe my $wait, $keeps;
  $keeper = fork;
  if ($keeper == 0) {
    close $keeps; close $ready;
    call('unshare', $newuser) == 0 and syswrite $tell, 'x';
    close $tell; sysread $wait, my $nothing, 1; exit;
  }
  close $tell; close $wait;
  sysread($ready, my $told, 1) or refuse('users', 'a user namespace for the owners of the workspace');
  maps($keeper, swapped($o{owneruid}, $o{uid}), swapped($o{ownergid}, $o{gid}));
  my $tree = call('open_tree', -100, $place, 0x80001);
  open my $users, '<', "/proc/$keeper/ns/user";
  my $set = $tree >= 0 && call('mount_setattr', $tree, '', 0x1000, pack('QQQQ', 0x100000, 0, 0, fileno $users), 32) == 0;
  $set && call('move_mount', $tree, '', -100, $place, 4) == 0 or refuse('workspace', "$!");
}
# Lines of a map in which two numbers change places, and all others stay.
sub swapped {
  my ($low, $high) = sort { $a <=> $b } @_;
  return "0 0 65536\n" if $low == $high;
  my @rows = ([0, 0, $low], [$low, $high, 1], [$low + 1, $low + 1, ($high < 65536 ? $high : 65536) - $low - 1],
    [$high, $low, 1], [$high + 1, $high + 1, 65535 - $high]);
  return join '', map { "@$_\n" } grep { $_->[2] > 0 } @rows;
}
sub maps { my ($pid, $uids, $gids) = @_;
  for (['uid_map', $uids], ['gid_map', $gids]) {
    my ($name, $lines) = @$_;
    open my $file, '>', "/proc/$pid/$name" or refuse('users', "$name: $!");
    defined syswrite $file, $lines or refuse('users', "$name: $!");
  } }

pipe my $go, my $start; pipe my $ready, my $tell;
my $space = fork;
if ($space == 0) {
  close $start; close $ready; close $keeps if $keeps; close STDIN; open STDIN, '<', '/dev/null';
  call('prctl', 1, 9, 0, 0, 0);
  my $flags = $newns | $newpid | $newuts | $newipc | ($o{private} && !$unprivileged ? $newuser : 0);
  call('unshare', $flags) == 0 or refuse($o{private} ? 'users' : 'mount', "namespaces: $!");
  syswrite $tell, 'x';
  sysread $go, my $nothing, 1 or exit 97;
  my $one = fork;
  if ($one == 0) { one() }
  $SIG{TERM} = sub { kill 'TERM', $one };
  my $gone; do { $gone = waitpid $one, 0 } while $gone < 0 && $!{EINTR};
  exit $? >> 8;
}
close $go; close $tell;
if (sysread $ready, my $told, 1) {
  maps($space, "0 0 65536\n", "0 0 65536\n") if $o{private} && !$unprivileged;
  syswrite $start, 'x';
}
close $start;

# Standard input tells to end it; the file of process 1 tells that it has ended.
my $asked = 0;
while (waitpid($space, WNOHANG) == 0) {
  my $set = ''; vec($set, 0, 1) = 1;
  if ($asked) { select undef, undef, undef, 0.02; kill 'KILL', $space if time > $asked + 4; next }
  next unless select my $found = $set, undef, undef, 0.02;
  sysread STDIN, my $line, 100;
  $asked = time;
  kill 'TERM', $space;
}
my $code = $? >> 8;
# The script may have put links in their way.
if ($own) { my $now = inside('/usr/sbin/policy-rc.d'); unlink $now if join('', read_lines($now)) eq $refusal }
if ($made) { tried('umount', '-n', $resolver); my $now = inside('/etc/resolv.conf'); unlink $now if -z $now }
# What root made in the workspace is its owner's as well, and so is what was collected for it.
my @owner;
@owner = ('chown', '-h', "$o{owneruid}:$o{ownergid}") if $o{workspace};
system 'find', $o{source}, '-xdev', '!', '-uid', $o{owneruid}, '-newerct', "\@$o{since}", '-exec', @owner, '{}', '+'
  if $o{workspace} && $o{workspacemode} ne 'copy';
system @owner, '-R', $o{collected} if $o{workspace} && $o{collected};
exit $code;

${firstProcess}`
