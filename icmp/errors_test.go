package icmp

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

func TestErrorOf(t *testing.T) { // UDP-007: the numbers as Linux has them
	for _, tt := range []struct {
		typ, code uint8
		kind      ip.Kind
		errno     syscall.Errno
		hard      bool
	}{
		{Unreachable, CodeNet, ip.NetUnreachable, syscall.ENETUNREACH, false},
		{Unreachable, CodeHost, ip.HostUnreachable, syscall.EHOSTUNREACH, false},
		{Unreachable, CodeProtocol, ip.ProtocolUnreachable, syscall.ENOPROTOOPT, true},
		{Unreachable, CodePort, ip.PortUnreachable, syscall.ECONNREFUSED, true},
		{Unreachable, CodeFragNeeded, ip.TooBig, syscall.EMSGSIZE, false},
		{Unreachable, CodeSourceRouteFailed, ip.SourceRouteFailed, syscall.EOPNOTSUPP, false},
		{Unreachable, CodeAdminProhibited, ip.Prohibited, syscall.EHOSTUNREACH, true},
		{Unreachable, 255, ip.OtherError, syscall.EHOSTUNREACH, false},
		{TimeExceeded, CodeTTL, ip.TTLExceeded, syscall.EHOSTUNREACH, false},
		{TimeExceeded, CodeReassembly, ip.ReassemblyTimeout, syscall.EHOSTUNREACH, false},
		{ParameterProblem, 0, ip.BadParameter, syscall.EPROTO, true},
		{Redirect, 1, ip.Redirect, 0, false},
		{SourceQuench, 0, ip.OtherError, 0, false},
	} {
		want := ip.Error{Kind: tt.kind, Errno: tt.errno, Hard: tt.hard, Type: tt.typ, Code: tt.code}
		require.Equal(t, want, ErrorOf(tt.typ, tt.code), "type %d code %d", tt.typ, tt.code)
	}
	for code := range uint8(16) {
		require.NotZero(t, ErrorOf(Unreachable, code).Errno, "code %d", code)
	}
}
