package socketapi

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tcpPair is two hosts that share a virtual clock, with a listener at b's port 7. All sockets are non-blocking.
type tcpPair struct {
	t        *testing.T
	clk      *VirtualClock
	a, b     host
	listener int
}

func newTCPPair(t *testing.T) *tcpPair {
	p := &tcpPair{t: t, clk: new(VirtualClock)}
	p.a, p.b = pair(t, p.clk)
	p.listener = p.listen(8)
	return p
}

func (p *tcpPair) listen(backlog int) int {
	fd := p.b.bound(SOCK_STREAM|SOCK_NONBLOCK, "0.0.0.0:7")
	require.NoError(p.t, p.b.Listen(fd, backlog))
	return fd
}

// rest runs both stacks until they are idle.
func (p *tcpPair) rest() { rest(p.clk.Now(), p.a, p.b) }

// after lets d pass on both hosts.
func (p *tcpPair) after(d time.Duration) { rest(p.clk.Now()+d, p.a, p.b) }

// dial makes a connection from a to b's port 7.
func (p *tcpPair) dial() int {
	p.t.Helper()
	fd := p.a.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(p.t, syscall.EINPROGRESS, p.a.Connect(fd, ap("10.0.0.2:7")))
	p.rest()
	return fd
}

// accept takes the next connection at b, which must be there.
func (p *tcpPair) accept() int {
	p.t.Helper()
	fd, _, err := p.b.Accept(p.listener)
	require.NoError(p.t, err)
	_, err = p.b.Fcntl(fd, F_SETFL, O_NONBLOCK)
	require.NoError(p.t, err)
	return fd
}

// connect is dial and accept.
func (p *tcpPair) connect() (client, server int) {
	p.t.Helper()
	client = p.dial()
	return client, p.accept()
}

// silence stops b for good: only a's time passes.
func (p *tcpPair) silence(d time.Duration) { rest(p.clk.Now()+d, p.a) }
