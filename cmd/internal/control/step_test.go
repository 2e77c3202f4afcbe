package control

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/trace"
)

// stepping begins a step session, and a connection over the stack's loopback; dialed receives its outcome.
func stepping(t *testing.T) (c *Client, s *socketapi.Stack, server *Server, steps *Steps, dialed chan error) {
	t.Helper()
	c, s, server = serve(t)
	l, err := s.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	steps, err = c.Step(t.Context(), "")
	require.NoError(t, err)
	t.Cleanup(func() { steps.Close() })
	dialed = make(chan error, 1)
	go func() {
		conn, err := s.Dial("tcp", l.Addr().String())
		if err == nil {
			err = conn.Close()
		}
		dialed <- err
	}()
	return c, s, server, steps, dialed
}

// next continues to the next record of a kind.
func next(t *testing.T, s *Steps, kind trace.Kind) trace.Record {
	t.Helper()
	for {
		r, err := s.Next()
		require.NoError(t, err)
		if r.Kind == kind {
			return r
		}
	}
}

// Both ends of a connection hold at each segment, and the stack's time does.
func TestStep(t *testing.T) {
	_, s, _, steps, dialed := stepping(t)
	r := next(t, steps, trace.Out)
	require.Equal(t, "SYN-SENT", r.Vars.State)
	require.Equal(t, s.Now(), s.Now(), "time goes on")
	require.Empty(t, dialed)
	require.Equal(t, "LISTEN", next(t, steps, trace.In).Vars.State)
	require.Equal(t, "SYN-RECEIVED", next(t, steps, trace.Out).Vars.State)
	require.Equal(t, "SYN-SENT", next(t, steps, trace.In).Vars.State)
	require.Empty(t, dialed)
	require.NoError(t, steps.Close())
	require.NoError(t, <-dialed, "it goes on by itself")
	require.Less(t, r.At, s.Now())
}

// A second step session, or one for an invalid end, fails at once; after the first has closed another may begin.
func TestStepAlone(t *testing.T) {
	c, _, _, steps, dialed := stepping(t)
	next(t, steps, trace.Out)
	_, err := c.Step(t.Context(), "")
	require.EqualError(t, err, errStepping.Error())
	require.NoError(t, steps.Close())
	require.NoError(t, <-dialed)
	require.Eventually(t, func() bool {
		again, err := c.Step(t.Context(), ":1")
		return err == nil && again.Close() == nil
	}, patience, 1)
	_, err = c.Step(t.Context(), "nonsense")
	require.ErrorContains(t, err, "invalid endpoint")
}

// While the stack holds, the server answers requests that do not need the held connection; others, and a new trace, wait until
// it continues.
func TestStepOthers(t *testing.T) {
	c, _, _, steps, dialed := stepping(t)
	next(t, steps, trace.Out)
	var interfaces []socketapi.InterfaceInfo
	require.NoError(t, c.Get(t.Context(), "interfaces", &interfaces))
	require.NotEmpty(t, interfaces)
	waiting := make(chan error, 2)
	go func() {
		var sockets []socketapi.SocketInfo
		waiting <- c.Get(t.Context(), "sockets", &sockets)
	}()
	go func() {
		watching, err := c.Trace(t.Context(), "")
		if err == nil {
			err = watching.Close()
		}
		waiting <- err
	}()
	require.Equal(t, "LISTEN", next(t, steps, trace.In).Vars.State)
	require.NoError(t, steps.Close())
	for range 2 {
		require.NoError(t, <-waiting)
	}
	require.NoError(t, <-dialed)
}

// After an interrupt, or the end of the server, the stack continues; the client sees the end.
func TestStepEnds(t *testing.T) {
	_, _, server, steps, dialed := stepping(t)
	next(t, steps, trace.Out)
	require.NoError(t, server.Close())
	require.NoError(t, <-dialed)
	_, err := steps.Next()
	require.Equal(t, io.EOF, err)

	c, s, _ := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	steps, err = c.Step(ctx, "")
	require.NoError(t, err)
	refused := make(chan error, 1)
	go func() {
		_, err := s.Dial("tcp", "127.0.0.1:1")
		refused <- err
	}()
	next(t, steps, trace.Out)
	cancel()
	var failed *net.OpError
	require.ErrorAs(t, <-refused, &failed)
	_, err = steps.Next()
	require.Error(t, err)
}
