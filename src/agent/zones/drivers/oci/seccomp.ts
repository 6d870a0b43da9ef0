/**
 * The system calls that a zone may make. What is not listed fails with EPERM: an error for the caller, never a signal.
 * `clone3` fails with ENOSYS, because its flags are in memory where a filter cannot look, and C libraries then fall back
 * to `clone`, whose flags are checked. Calls newer than this list get ENOSYS too: the runtime adds that rule itself.
 * Left out on purpose: whatever mounts, makes namespaces, loads code into the kernel, sets clocks, reaches other
 * processes' descriptors, keeps keys, or has a history of holes that a batch command does not need (io_uring,
 * userfaultfd, bpf, perf).
 */
const allowed: Readonly<Record<string, string>> = {
  files: `access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr
    fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr ioctl lchown lgetxattr link
    linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat name_to_handle_at
    newfstatat open openat openat2 readahead readlink readlinkat removexattr rename renameat renameat2 rmdir setxattr
    stat statfs statx symlink symlinkat sync sync_file_range syncfs truncate umask unlink unlinkat utime utimensat
    utimes chroot`,
  bytes: `pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readv sendfile splice tee vmsplice write writev
    io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit`,
  memory: `brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages map_shadow_stack`,
  processes: `arch_prctl capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu
    getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage
    getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
    modify_ldt pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease rseq rt_sigaction rt_sigpending
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo seccomp set_robust_list
    set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid
    setresuid setreuid setrlimit setsid setuid sigaltstack sysinfo tgkill times tkill uname vfork wait4 waitid
    ptrace process_vm_readv process_vm_writev`,
  scheduling: `sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
    sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield`,
  waiting: `alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 futex futex_waitv futex_wake futex_wait
    futex_requeue getitimer gettimeofday inotify_add_watch inotify_init inotify_init1 inotify_rm_watch nanosleep pause
    poll ppoll pselect6 restart_syscall select signalfd signalfd4 time timer_create timer_delete timer_getoverrun
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime getrandom`,
  messages: `accept accept4 bind connect getpeername getsockname getsockopt listen pipe pipe2 recvfrom recvmmsg recvmsg
    sendmmsg sendmsg sendto setsockopt shutdown socketpair mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend
    mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget`,
};

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: none may be asked for. */
const cloneNewNamespaces = 0x7e020000;
/** UNIX, INET, INET6 and NETLINK (with which C libraries list addresses). Others reach seldom used parts of the kernel. */
const addressFamilies = [1, 2, 10, 16];
/** personality(2): Linux, 32-bit addresses, no randomisation (debuggers), and "only ask". */
const personalities = [0x0, 0x8, 0x20000, 0x40000, 0x20008, 0xffffffff];
const enosys = 38;

const runtimeArchitectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** `linux.seccomp` of an OCI bundle. @param architecture as `process.arch`; unknown ones are filtered natively. */
export function seccompProfile(architecture: string): object {
  const names = Object.values(allowed).flatMap((group) => group.split(/\s+/));
  const allow = (name: string, index: number, op: string, value: number, valueTwo = 0) => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index, value, valueTwo, op }],
  });
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: runtimeArchitectures[architecture] ?? [],
    syscalls: [
      { names, action: 'SCMP_ACT_ALLOW' },
      allow('clone', 0, 'SCMP_CMP_MASKED_EQ', cloneNewNamespaces),
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
      ...addressFamilies.map((value) => allow('socket', 0, 'SCMP_CMP_EQ', value)),
      ...personalities.map((value) => allow('personality', 0, 'SCMP_CMP_EQ', value)),
    ],
  };
}
