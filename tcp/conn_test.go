package tcp

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A connection just fits the allocator's class of 1024 octets, after which comes one of 1152: an idle connection is to
// take 2 KiB in all.
func TestSizeOfConn(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Conn{}), uintptr(1024))
}
