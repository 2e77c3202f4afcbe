package ipv4

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrno(t *testing.T) { // as Linux has it
	for _, tt := range []struct {
		e    Error
		want syscall.Errno
	}{
		{Error{Type: Unreachable, Code: CodeNet}, syscall.ENETUNREACH},
		{Error{Type: Unreachable, Code: CodeHost}, syscall.EHOSTUNREACH},
		{Error{Type: Unreachable, Code: CodeProtocol}, syscall.ENOPROTOOPT},
		{Error{Type: Unreachable, Code: CodePort}, syscall.ECONNREFUSED},
		{Error{Type: Unreachable, Code: CodeFragNeeded}, syscall.EMSGSIZE},
		{Error{Type: Unreachable, Code: CodeSourceRouteFailed}, syscall.EOPNOTSUPP},
		{Error{Type: Unreachable, Code: CodeAdminProhibited}, syscall.EHOSTUNREACH},
		{Error{Type: Unreachable, Code: 255}, syscall.EHOSTUNREACH},
		{Error{Type: TimeExceeded, Code: CodeTTL}, syscall.EHOSTUNREACH},
		{Error{Type: ParameterProblem}, syscall.EPROTO},
		{Error{Type: Redirect}, 0},
		{Error{Type: SourceQuench}, 0},
	} {
		require.Equal(t, tt.want, tt.e.Errno(), "type %d code %d", tt.e.Type, tt.e.Code)
	}
	for code := range uint8(16) {
		require.NotZero(t, (&Error{Type: Unreachable, Code: code}).Errno(), "code %d", code)
	}
}
