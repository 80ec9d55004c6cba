/** What process 1 of the new namespaces does: the end of the program in namespace-script.ts, with whose words it is written. */
export const firstProcess = String.raw`
# Process 1 of the new namespaces.
sub one {
  call('prctl', 1, 9, 0, 0, 0);
  my $stop = 0;
  $SIG{TERM} = sub { $stop = time; kill 'TERM', -1 };
  $SIG{INT} = $SIG{HUP} = 'IGNORE';
  my $proc = inside('/proc');
  mounted('-t', 'proc', '-o', 'nosuid,nodev,noexec', 'proc', $proc);
  if ($o{private} && $o{handlers}) {
    my $fs = "$proc/sys/fs/binfmt_misc";
    must('handlers', 'mount', '-n', '-t', 'binfmt_misc', 'binfmt_misc', $fs);
    for my $line (read_lines("$at/handlers")) {
      chomp $line;
      open my $register, '>', "$fs/register" or refuse('handlers', "$!");
      defined syswrite $register, $line or refuse('handlers', "$line: $!");
    }
  }
  my ($hostname) = map { /^\s*(\w[\w.-]*)/ ? $1 : () } read_lines(inside('/etc/hostname'));
  call('sethostname', $hostname, length $hostname) if $hostname;
  # A mount of this namespace's own, which may be moved.
  mounted('--rbind', $root, $root);
  chdir $root or refuse('mount', "$!");
  call('pivot_root', '.', '.') == 0 or refuse('mount', "pivot_root: $!");
  call('umount2', '.', 2) == 0 or refuse('mount', "umount: $!");
  chdir '/';
  if (defined $o{directory} && !-d $o{directory}) { print $status "refused directory: $o{directory}\n"; exit 97 }
  my $script = fork;
  if ($script == 0) { user() }
  while (1) {
    my $gone = waitpid -1, $stop ? WNOHANG : 0;
    if ($gone == $script) {
      my $how = $?;
      print $status WIFSIGNALED($how) ? 'signal ' . WTERMSIG($how) : 'exit ' . WEXITSTATUS($how), "\n";
      exit 0;
    }
    if ($stop && $gone <= 0) { exit 0 if time >= $stop + 2; select undef, undef, undef, 0.02 }
  }
}

# The script, as its user. After a fork nothing but this process' own end is reported by it.
sub user {
  $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
  setsid();
  my @groups = map { my (undef, undef, $gid, $members) = split /:|\n/; (grep { $_ eq $o{user} } split /,/, $members // '') ? $gid : () } read_lines('/etc/group');
  $) = join ' ', $o{gid}, $o{gid}, @groups;
  $( = $o{gid};
  $< = $> = $o{uid};
  my ($shell) = map { /^\Q$o{user}\E:(?:[^:]*:){5}([^:\n]+)/ ? $1 : () } read_lines('/etc/passwd');
  my ($language) = map { /^LANG="?([^"\n]+)/ ? $1 : () } read_lines('/etc/default/locale');
  my @path = $o{uid} == 0 ? qw(/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin)
    : qw(/usr/local/bin /usr/bin /bin /usr/local/games /usr/games);
  %ENV = (PATH => join(':', @path), HOME => $o{home}, USER => $o{user}, LOGNAME => $o{user}, SHELL => $shell // '/bin/sh',
    $language ? (LANG => $language) : ());
  chdir $o{home} or chdir '/';
  exec { '/bin/sh' } 'sh', '/run/pi-qemu/start' or print $status "refused shell: /bin/sh: $!\n";
  POSIX::_exit(126);
}
`
