/**
 * Words in front of a command that make this host look like one that forbids new user namespaces, as a sysctl or
 * AppArmor does: a seccomp filter lets unshare(2) with CLONE_NEWUSER fail with EPERM. As root.
 */
export const withoutUserNamespaces: readonly string[] = [
  'perl',
  '-e',
  String.raw`
my %numbers = (x86_64 => [157, 272], aarch64 => [167, 97]);
chomp(my $machine = qx(uname -m));
my ($prctl, $unshare) = @{$numbers{$machine}};
# struct sock_filter: code, jt, jf, k; of seccomp_data: number at 0, the first argument at 16.
my $filter = join '', map { pack 'SCCL', @$_ }
  [0x20, 0, 0, 0], [0x15, 0, 3, $unshare], [0x20, 0, 0, 16], [0x45, 0, 1, 0x10000000],
  [0x06, 0, 0, 0x00050001], [0x06, 0, 0, 0x7fff0000];
my $program = pack 'Sx6P', 6, $filter;
syscall($prctl, 22, 2, $program) == 0 or die "seccomp: $!";
exec @ARGV or die "$ARGV[0]: $!"`
]

/** Words in front of a command that make the kernel call itself 2.6.x: older than handlers of one's own. */
export const withOldKernel: readonly string[] = ['setarch', '--uname-2.6']
