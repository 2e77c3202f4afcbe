package control

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
)

func TestTables(t *testing.T) {
	c, s, _ := serve(t)
	l, err := s.Listen("tcp", "127.0.0.1:7")
	require.NoError(t, err)
	defer l.Close()

	var interfaces []socketapi.InterfaceInfo
	require.NoError(t, c.Get(t.Context(), "interfaces", &interfaces))
	require.Len(t, interfaces, 1)
	require.True(t, interfaces[0].Loopback)

	var sockets []socketapi.SocketInfo
	require.NoError(t, c.Get(t.Context(), "sockets", &sockets))
	require.Equal(t, s.Sockets(), sockets)
	require.Equal(t, "LISTEN", sockets[0].State)
}

// Any HTTP client works, such as curl --unix-socket.
func TestTablesOverHTTP(t *testing.T) {
	c, _, _ := serve(t)
	curl := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.Path)
	}}}
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/interfaces", http.StatusOK},
		{"POST", "/interfaces", http.StatusMethodNotAllowed},
		{"GET", "/dial", http.StatusMethodNotAllowed},
		{"GET", "/nonsense", http.StatusNotFound},
		{"POST", "/dial?network=tcp&address=nonsense", http.StatusBadGateway},
		{"POST", "/listen?network=nonsense&address=:0", http.StatusBadGateway},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, "http://stack"+tt.path, nil)
		require.NoError(t, err)
		response, err := curl.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, tt.status, response.StatusCode, tt.path)
		if tt.status == http.StatusOK || tt.status == http.StatusBadGateway {
			require.Equal(t, "application/json", response.Header.Get("Content-Type"))
			require.True(t, json.Valid(body), "%s", body)
		}
	}
}

func TestUnknownTable(t *testing.T) {
	c, _, _ := serve(t)
	require.EqualError(t, c.Get(t.Context(), "nonsense", new(any)), "control: 404 Not Found")
}

func TestDial(t *testing.T) {
	c, s, _ := serve(t)
	near, far := dial(t, c, s)
	require.Equal(t, far.RemoteAddr().String(), near.LocalAddr().String())
	require.Equal(t, far.LocalAddr().String(), near.RemoteAddr().String())
	require.Equal(t, "tcp", near.RemoteAddr().Network())
	say(t, near, "ping")
	hear(t, far, "ping")
	say(t, far, "pong")
	hear(t, near, "p") // a frame may be read in pieces
	hear(t, near, "ong")
}

func TestHalfClose(t *testing.T) {
	for _, first := range []string{"client", "peer"} {
		t.Run(first+" first", func(t *testing.T) {
			c, s, _ := serve(t)
			near, far := dial(t, c, s)
			var one, other net.Conn = near, far
			if first == "peer" {
				one, other = far, near
			}
			say(t, one, "the question")
			closeWriteOf(t, one)
			hear(t, other, "the question")
			hearEnd(t, other)
			say(t, other, "the answer")
			closeWriteOf(t, other)
			hear(t, one, "the answer")
			hearEnd(t, one)
			hearEnd(t, one) // and at every further read
		})
	}
}

// A write longer than a frame arrives whole.
func TestLongWrite(t *testing.T) {
	c, s, _ := serve(t)
	near, far := dial(t, c, s)
	text := strings.Repeat("0123456789abcdef", 5*maxFrame/16+1)
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(near, text)
		near.CloseWrite()
		written <- err
	}()
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.Equal(t, len(text), len(got))
	require.True(t, text == string(got))
}

func TestClientHangsUp(t *testing.T) {
	c, s, _ := serve(t)
	near, far := dial(t, c, s)
	require.NoError(t, near.Close())
	hearEnd(t, far)
}

// A reset reaches the client as ECONNRESET.
func TestPeerResets(t *testing.T) {
	c, s, _ := serve(t)
	near, far := dial(t, c, s)
	require.NoError(t, far.(*socketapi.TCPConn).SetLinger(0))
	require.NoError(t, far.Close())
	_, err := near.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Equal(t, "connection reset by peer", err.Error())
}

func TestDialRefused(t *testing.T) {
	c, _, _ := serve(t)
	_, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.EqualError(t, err, "connection refused")
}

// An ICMP error does not end a UDP stream.
func TestUDPRefusedOnce(t *testing.T) {
	c, s, _ := serve(t)
	near, err := c.DialContext(t.Context(), "udp", "127.0.0.1:5000")
	require.NoError(t, err)
	defer near.Close()
	require.NoError(t, near.SetDeadline(time.Now().Add(patience)))
	say(t, near, "anybody?")
	_, err = near.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	p, err := s.ListenPacket("udp", "127.0.0.1:5000")
	require.NoError(t, err)
	defer p.Close()
	say(t, near, "and now?")
	b := make([]byte, 100)
	n, from, err := p.ReadFrom(b)
	require.NoError(t, err)
	require.Equal(t, "and now?", string(b[:n]))
	_, err = p.WriteTo([]byte("yes"), from)
	require.NoError(t, err)
	hear(t, near, "yes")
}

// Datagrams keep their borders both ways, empty ones too, and a short buffer cuts one off.
func TestUDPBorders(t *testing.T) {
	c, s, _ := serve(t)
	p, err := s.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer p.Close()
	near, err := c.DialContext(t.Context(), "udp", p.LocalAddr().String())
	require.NoError(t, err)
	defer near.Close()
	require.NoError(t, near.SetDeadline(time.Now().Add(patience)))
	require.NoError(t, p.SetDeadline(time.Now().Add(patience)))

	texts := []string{"one", "", strings.Repeat("x", 60000), "four"}
	b := make([]byte, maxFrame)
	for _, text := range texts {
		say(t, near, text)
		n, from, err := p.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, text, string(b[:n]))
		_, err = p.WriteTo(b[:n], from)
		require.NoError(t, err)
	}
	for _, text := range texts {
		n, err := near.Read(b[:10])
		require.NoError(t, err)
		require.Equal(t, text[:min(10, len(text))], string(b[:n]))
	}
	_, err = near.Write(make([]byte, maxFrame+1))
	require.ErrorIs(t, err, syscall.EMSGSIZE)
}

func TestListen(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			c, s, _ := serve(t)
			l, err := c.Listen(t.Context(), network, "127.0.0.1:5000")
			require.NoError(t, err)
			defer l.Close()
			require.Equal(t, "127.0.0.1:5000", l.Addr().String())
			far, err := s.DialContext(t.Context(), network, "127.0.0.1:5000")
			require.NoError(t, err)
			defer far.Close()
			say(t, far, "hello")
			near, err := l.Accept()
			require.NoError(t, err)
			require.Equal(t, far.LocalAddr().String(), near.RemoteAddr().String())
			hear(t, near, "hello")
			say(t, near, "welcome")
			hear(t, far, "welcome")
			_, err = l.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestListenOnPortInUse(t *testing.T) {
	c, s, _ := serve(t)
	l, err := s.Listen("tcp", "127.0.0.1:5000")
	require.NoError(t, err)
	defer l.Close()
	_, err = c.Listen(t.Context(), "tcp", "127.0.0.1:5000")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// A client that closes before a peer connects closes the port, too.
func TestListenerHangsUp(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			c, s, _ := serve(t)
			l, err := c.Listen(t.Context(), network, "127.0.0.1:5000")
			require.NoError(t, err)
			require.NotEmpty(t, s.Sockets())
			require.NoError(t, l.Close())
			require.Eventually(t, func() bool { return len(s.Sockets()) == 0 }, patience, time.Millisecond)
		})
	}
}

// Close ends the streams, and their clients see an unexpected end.
func TestServerClose(t *testing.T) {
	c, s, server := serve(t)
	near, far := dial(t, c, s)
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:5000")
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, server.Close())
	hearEnd(t, far)
	_, err = near.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotEqual(t, io.EOF, err)
	_, err = l.Accept()
	require.Error(t, err)
}

func TestDialCanceled(t *testing.T) {
	c, _, _ := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.DialContext(ctx, "tcp", "127.0.0.1:9")
	require.ErrorIs(t, err, context.Canceled)
}
