package tcp

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// An idle connection has a budget of 2 KiB. With the allocator's 8 bytes a Conn just fits its size class of 896; the next class
// has 1024.
func TestSizeOfConn(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Conn{}), uintptr(896-8))
}
