package socketapi

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writer is a function as an io.Writer.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestWriteTo(t *testing.T) {
	client, server := connPair(t)
	data := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. "), 100_000)
	go func() {
		client.Write(data)
		client.CloseWrite()
	}()
	var got bytes.Buffer
	n, err := server.WriteTo(&got)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	require.True(t, bytes.Equal(data, got.Bytes()))
	n, err = server.WriteTo(&got)
	require.NoError(t, err)
	require.Zero(t, n)
}

// A failing writer ends WriteTo; the connection continues.
func TestWriteToFailingWriter(t *testing.T) {
	client, server := connPair(t)
	full := errors.New("full")
	for _, tt := range []struct{ writer, want error }{{full, full}, {nil, io.ErrShortWrite}} {
		_, err := client.Write([]byte("some bytes"))
		require.NoError(t, err)
		n, err := server.WriteTo(writer(func(p []byte) (int, error) { return 4, tt.writer }))
		require.Equal(t, tt.want, err)
		require.EqualValues(t, 4, n)
	}
	_, err := client.Write([]byte("more"))
	require.NoError(t, err)
	b := make([]byte, 4)
	_, err = io.ReadFull(server, b)
	require.NoError(t, err)
	require.Equal(t, "more", string(b))
}

func TestWriteToHasDeadlines(t *testing.T) {
	_, server := connPair(t)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err := server.WriteTo(io.Discard)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, server.SetReadDeadline(time.Time{}))
	require.NoError(t, server.Close())
	_, err = server.WriteTo(io.Discard)
	require.Error(t, err)
}
