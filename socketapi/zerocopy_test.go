package socketapi

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Lent memory arrives, and is returned once, when the peer has acknowledged all of it and not before.
func TestWriteZeroCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connPair(t)
		data := pattern(20 << 20) // more than the buffers hold
		returned := make(chan bool, 3)
		result := make(chan copied, 1)
		go func() {
			n, err := client.WriteZeroCopy(data, func() { returned <- true })
			_, _ = client.Write([]byte("end"))
			result <- copied{int64(n), err}
		}()
		synctest.Wait()
		require.Empty(t, returned)
		got := make([]byte, len(data))
		_, err := io.ReadFull(server, got[:len(got)-1])
		require.NoError(t, err)
		require.Equal(t, copied{int64(len(data)), nil}, <-result)
		_, err = io.ReadFull(server, got[len(got)-1:])
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		<-returned
		clear(data)
		_, err = io.ReadFull(server, got[:3])
		require.NoError(t, err)
		require.Equal(t, "end", string(got[:3]))

		n, err := client.WriteZeroCopy([]byte("short"), func() { returned <- true })
		require.NoError(t, err)
		require.Equal(t, 5, n)
		<-returned
		_, err = client.WriteZeroCopy(nil, nil)
		require.NoError(t, err)
		require.Empty(t, returned)
	})
}

// An error returns the lent memory too.
func TestWriteZeroCopyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connPair(t)
		returned, failed := make(chan bool, 2), make(chan error, 1)
		go func() {
			_, err := client.WriteZeroCopy(make([]byte, 64<<20), func() { returned <- true })
			failed <- err
		}()
		synctest.Wait()
		require.Empty(t, returned)
		require.NoError(t, client.SetLinger(0))
		require.NoError(t, client.Close())
		<-returned
		require.ErrorIs(t, <-failed, net.ErrClosed)
		_, err := client.WriteZeroCopy(make([]byte, 1<<20), func() { returned <- true })
		require.ErrorIs(t, err, net.ErrClosed)
		<-returned
	})
}
