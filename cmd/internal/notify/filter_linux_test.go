package notify

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdict runs the filter on a call. The words of struct seccomp_data stand in network byte order, which bpf.VM reads.
func verdict(t *testing.T, f Filter, arch uint32, nr int, args ...uint64) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(f.instructions())
	require.NoError(t, err)
	data := make([]byte, offsetArgs+6*8)
	binary.BigEndian.PutUint32(data[offsetNr:], uint32(nr))
	binary.BigEndian.PutUint32(data[offsetArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offsetArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[offsetArgs+8*i+4:], uint32(a>>32))
	}
	v, err := vm.Run(data)
	require.NoError(t, err)
	return uint32(v)
}

const (
	toSupervisor = unix.SECCOMP_RET_USER_NOTIF
	toKernel     = unix.SECCOMP_RET_ALLOW
	isENOSYS     = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	isEPERM      = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
)

// The filter sends the control calls of sockets to the supervisor, and leaves every other call to the kernel.
func TestFilter(t *testing.T) {
	const pointer = 0x7fff_0000_0000
	for _, tt := range []struct {
		name string
		nr   int
		args []uint64
		want uint32
	}{
		{"read", unix.SYS_READ, []uint64{3}, toKernel},
		{"write", unix.SYS_WRITE, []uint64{3}, toKernel},
		{"close", unix.SYS_CLOSE, []uint64{3}, toKernel},
		{"socket of AF_INET", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM}, toSupervisor},
		{"socket of AF_INET6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_DGRAM}, toSupervisor},
		{"socket of AF_UNIX", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_STREAM}, toKernel},
		{"socket of AF_PACKET", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, unix.SOCK_RAW}, isEPERM},
		{"rtnetlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, toSupervisor},
		{"another netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT}, toKernel},
		{"socketpair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX}, toKernel},
		{"connect", unix.SYS_CONNECT, []uint64{3, pointer, 16}, toSupervisor},
		{"recvmsg", unix.SYS_RECVMSG, []uint64{3, pointer}, toSupervisor},
		{"send", unix.SYS_SENDTO, []uint64{3, pointer, 5, 0, 0, 0}, toKernel},
		{"sendto", unix.SYS_SENDTO, []uint64{3, pointer, 5, 0, pointer, 16}, toSupervisor},
		{"sendto an address below 4 GiB", unix.SYS_SENDTO, []uint64{3, pointer, 5, 0, 0x1000, 16}, toSupervisor},
		{"recv", unix.SYS_RECVFROM, []uint64{3, pointer, 5, 0, 0, 0}, toKernel},
		{"recvfrom", unix.SYS_RECVFROM, []uint64{3, pointer, 5, 0, pointer, pointer}, toSupervisor},
		{"ioctl of an interface", unix.SYS_IOCTL, []uint64{3, unix.SIOCGIFADDR, pointer}, toSupervisor},
		{"FIONREAD", unix.SYS_IOCTL, []uint64{3, unix.TIOCINQ, pointer}, toSupervisor},
		{"SIOCOUTQ", unix.SYS_IOCTL, []uint64{3, unix.TIOCOUTQ, pointer}, toSupervisor},
		{"ioctl of a terminal", unix.SYS_IOCTL, []uint64{3, unix.TCGETS, pointer}, toKernel},
		{"io_uring", unix.SYS_IO_URING_SETUP, []uint64{8, pointer}, isENOSYS},
		{"TCP_NODELAY", unix.SYS_SETSOCKOPT, []uint64{3, unix.IPPROTO_TCP, unix.TCP_NODELAY, pointer, 4}, toSupervisor},
	} {
		require.Equal(t, tt.want, verdict(t, Filter{}, arch, tt.nr, tt.args...), tt.name)
	}
}

// Calls of another architecture end the program, because their numbers mean something else; those of x32 do not exist.
func TestFilterOfOtherArchitectures(t *testing.T) {
	require.EqualValues(t, uint32(unix.SECCOMP_RET_KILL_PROCESS), verdict(t, Filter{}, unix.AUDIT_ARCH_I386, unix.SYS_READ))
	if foreignCalls > 0 {
		require.Equal(t, isENOSYS, verdict(t, Filter{}, arch, foreignCalls|unix.SYS_SOCKET, unix.AF_INET))
	}
}

// FastOptions answers the two options that chatty programs set, and no other.
func TestFilterFastOptions(t *testing.T) {
	f := Filter{FastOptions: true}
	const done = unix.SECCOMP_RET_ERRNO
	for name, want := range map[uint64]uint32{unix.TCP_NODELAY: done, unix.TCP_CORK: done, unix.TCP_KEEPIDLE: toSupervisor} {
		require.Equal(t, want, verdict(t, f, arch, unix.SYS_SETSOCKOPT, 3, unix.IPPROTO_TCP, name), name)
	}
	require.EqualValues(t, toSupervisor, verdict(t, f, arch, unix.SYS_SETSOCKOPT, 3, unix.SOL_SOCKET, unix.TCP_NODELAY))
	require.EqualValues(t, toSupervisor, verdict(t, f, arch, unix.SYS_GETSOCKOPT, 3, unix.IPPROTO_TCP, unix.TCP_NODELAY))
}
