package notify

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Filter selects the system calls that the supervisor answers. All other calls run in the kernel as ever, except that io_uring_setup
// fails with ENOSYS, because a ring would make socket calls past the filter, and a socket of AF_PACKET with EPERM.
type Filter struct {
	// FastOptions lets the filter itself answer 0 to each setsockopt of TCP_NODELAY and TCP_CORK, which then have no effect.
	FastOptions bool
}

// trapped are the calls that go to the supervisor whatever their arguments are.
var trapped = []uint32{
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME,
	unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT, unix.SYS_SHUTDOWN, unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMMSG,
}

// Actions of the filter.
var (
	allow     = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	notify    = bpf.RetConstant{Val: unix.SECCOMP_RET_USER_NOTIF}
	kill      = bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
	noSyscall = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	forbidden = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	succeed   = bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO}
)

// Offsets in struct seccomp_data.
const (
	offsetNr   = 0
	offsetArch = 4
	offsetArgs = 16
)

// low and high load a half of an argument of the call on a little-endian machine.
func low(arg int) bpf.Instruction { return bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*arg), Size: 4} }
func high(arg int) bpf.Instruction {
	return bpf.LoadAbsolute{Off: uint32(offsetArgs + 8*arg + 4), Size: 4}
}

// when runs body, which returns, if the loaded value is v.
func when(v uint32, body ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipFalse: uint8(len(body))}}, body...)
}

// program is the filter in the kernel's form.
func (f Filter) program() ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(f.instructions())
	if err != nil {
		return nil, err
	}
	var program []unix.SockFilter
	for _, i := range raw {
		program = append(program, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	return program, nil
}

func (f Filter) instructions() []bpf.Instruction {
	code := []bpf.Instruction{bpf.LoadAbsolute{Off: offsetArch, Size: 4}}
	code = append(code, bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1}, kill, bpf.LoadAbsolute{Off: offsetNr, Size: 4})
	if foreignCalls > 0 {
		code = append(code, bpf.JumpIf{Cond: bpf.JumpLessThan, Val: foreignCalls, SkipTrue: 1}, noSyscall)
	}
	if f.FastOptions {
		code = append(code, when(unix.SYS_SETSOCKOPT, fastOptions()...)...)
	}
	for _, nr := range trapped {
		code = append(code, when(nr, notify)...)
	}
	code = append(code, when(unix.SYS_IO_URING_SETUP, noSyscall)...)
	code = append(code, when(unix.SYS_SOCKET, families()...)...)
	withAddress := []bpf.Instruction{low(4), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 2}, high(4),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1}, notify, allow}
	code = append(code, when(unix.SYS_SENDTO, withAddress...)...)
	code = append(code, when(unix.SYS_RECVFROM, withAddress...)...)
	code = append(code, when(unix.SYS_IOCTL, requests()...)...)
	return append(code, allow)
}

// socketRequests is the high byte of the ioctl requests of sockets, SIOC... of 0x89xx.
const socketRequests = 0x8900

// requests decides about ioctl(2): the requests of sockets go to the supervisor, and those two of other files that a socket of AF_UNIX answers
// in its own way.
func requests() (code []bpf.Instruction) {
	code = append(code, low(1))
	code = append(code, when(unix.TIOCINQ, notify)...)
	code = append(code, when(unix.TIOCOUTQ, notify)...)
	return append(code, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xff00},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: socketRequests, SkipTrue: 1}, notify, allow)
}

// families decides about socket(2): the IP families and rtnetlink go to the supervisor.
func families() (code []bpf.Instruction) {
	code = append(code, low(0))
	code = append(code, when(unix.AF_INET, notify)...)
	code = append(code, when(unix.AF_INET6, notify)...)
	code = append(code, when(unix.AF_PACKET, forbidden)...)
	code = append(code, when(unix.AF_NETLINK, low(2), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 1}, notify, allow)...)
	return append(code, allow)
}

// fastOptions answers the options of Filter.FastOptions.
func fastOptions() (code []bpf.Instruction) {
	code = append(code, low(1), bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1}, notify, low(2))
	code = append(code, when(unix.TCP_NODELAY, succeed)...)
	code = append(code, when(unix.TCP_CORK, succeed)...)
	return append(code, notify)
}
