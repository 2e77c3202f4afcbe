package errqueue

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// SOCK-070: the memory of the entries is bounded, and the newest is dropped.
func TestBound(t *testing.T) {
	var q Queue
	n := 0
	for q.Push(Error{Info: uint32(n), Payload: make([]byte, 1000)}) {
		n++
	}
	require.Equal(t, limit/(overhead+1000), n)
	var pending syscall.Errno
	for i := range n {
		e, err := q.Pop(&pending)
		require.NoError(t, err)
		require.EqualValues(t, i, e.Info)
	}
	require.Zero(t, q.Len())
	require.True(t, q.Push(Error{Payload: make([]byte, limit-overhead)}), "removed entries are not charged")
	q.Purge()
	require.Zero(t, q.used)
}

// SOCK-070: reading an entry makes the next ICMP error pending; a local one leaves the pending error alone.
func TestPending(t *testing.T) {
	var q Queue
	pending := syscall.ECONNREFUSED
	q.Push(Error{Origin: Local, Errno: syscall.EMSGSIZE})
	q.Push(Error{Origin: Local, Errno: syscall.EMSGSIZE})
	q.Push(Error{Origin: ICMP, Errno: syscall.EHOSTUNREACH})
	for _, want := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, 0} {
		_, err := q.Pop(&pending)
		require.NoError(t, err)
		require.Equal(t, want, pending)
	}
}
