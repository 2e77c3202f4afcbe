package tcp

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// An idle connection is to take 2 KiB in all. With the allocator's 8 bytes a Conn just fits its class of 1024, after which comes
// one of 1152.
func TestSizeOfConn(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Conn{}), uintptr(1024-8))
}
