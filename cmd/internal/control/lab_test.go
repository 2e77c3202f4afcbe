package control

import (
	"io"
	"iter"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/capture"
	"tunstack/internal/clock"
	"tunstack/socketapi"
)

// patience bounds every wait; only a failing test waits that long.
const patience = 20 * time.Second

// stack is a stack with only its loopback, and two tables.
type stack struct {
	*socketapi.Stack
	clock *clock.Steady
}

func (s stack) Hold()    { s.clock.Hold() }
func (s stack) Release() { s.clock.Release() }

func (s stack) Capture() *capture.Capture { return nil }

func (s stack) Tables() map[string]func() iter.Seq[any] {
	return map[string]func() iter.Seq[any]{
		"interfaces": func() iter.Seq[any] { return Rows(slices.Values(s.Interfaces())) },
		"sockets":    func() iter.Seq[any] { return Rows(s.AllSockets(false)) },
	}
}

// serve runs a server for a new stack, with a client.
func serve(t *testing.T) (*Client, *socketapi.Stack, *Server) {
	t.Helper()
	clk := clock.NewSteady(clock.NewReal())
	s, err := socketapi.New(socketapi.Config{Clock: clk})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := Listen(path)
	require.NoError(t, err)
	server := NewServer(stack{s, clk}, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.NoError(t, <-done)
		require.NoError(t, s.Close())
	})
	return &Client{Path: path}, s, server
}

// dial connects through the client to a listener on the stack, and returns both ends.
func dial(t *testing.T, c *Client, s *socketapi.Stack) (*Conn, net.Conn) {
	t.Helper()
	l, err := s.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	near, err := c.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	for _, end := range []net.Conn{near, far} {
		require.NoError(t, end.SetDeadline(time.Now().Add(patience)))
		t.Cleanup(func() { end.Close() })
	}
	return near.(*Conn), far
}

// say writes text to w.
func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	n, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

// hear reads text from r, and no more.
func hear(t *testing.T, r io.Reader, text string) {
	t.Helper()
	b := make([]byte, len(text))
	_, err := io.ReadFull(r, b)
	require.NoError(t, err)
	require.Equal(t, text, string(b))
}

// hearEnd requires that r is at its end.
func hearEnd(t *testing.T, r io.Reader) {
	t.Helper()
	n, err := r.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Equal(t, io.EOF, err)
}

func closeWriteOf(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
}
