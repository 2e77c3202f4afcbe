package socketapi

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/race"
)

// TestNoAllocations shows that sending and receiving allocate nothing once the buffers exist.
func TestNoAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	p := newTCPPair(t)
	client, server := p.connect()
	udp := p.b.bound(SOCK_DGRAM, "127.0.0.1:9")
	b, to := make([]byte, 1000), ap("127.0.0.1:9")
	for range 3 { // in flight together, so that TCP's bookkeeping has its room
		p.a.send(client, string(make([]byte, 1448)))
		p.clk.Set(p.clk.Now() + time.Millisecond)
	}
	p.after(time.Second)
	p.b.receives(server, string(make([]byte, 3*1448)))
	calls := map[string]func(){
		"stream": func() {
			_, _ = p.a.Send(client, b, 0)
			p.after(100 * time.Millisecond)
			n, err := p.b.Recv(server, b, 0)
			if n != len(b) || err != nil {
				panic(err)
			}
		},
		"datagram": func() {
			_, _ = p.b.SendTo(udp, b, 0, to)
			n, _, err := p.b.RecvFrom(udp, b, 0)
			if n != len(b) || err != nil {
				panic(err)
			}
		},
	}
	udp6 := p.b.socket6(SOCK_DGRAM, 0)
	require.NoError(t, p.b.Bind(udp6, ap("[::1]:9")))
	calls["datagram of IPv6"] = func() {
		_, _ = p.b.SendTo(udp6, b, 0, ap("[::1]:9"))
		n, _, err := p.b.RecvFrom(udp6, b, 0)
		if n != len(b) || err != nil {
			panic(err)
		}
	}
	for name, f := range calls {
		require.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
}

// A splice does not allocate either. The test also shows that a stack with a virtual clock runs splices.
func TestSpliceAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	synctest.Test(t, func(t *testing.T) {
		p := newTCPPair(t)
		client, fd := p.connect()
		so, err := p.b.sockets.get(fd)
		require.NoError(t, err)
		server := newTCPConn(so, "tcp")
		done := splicing(server, server)
		synctest.Wait()
		b := make([]byte, 1000)
		echo := func() {
			_, _ = p.a.Send(client, b, 0)
			p.after(100 * time.Millisecond)
			n, err := p.a.Recv(client, b, 0)
			if n != len(b) || err != nil {
				panic(err)
			}
		}
		echo()
		require.Zero(t, testing.AllocsPerRun(1000, echo))
		require.NoError(t, p.a.Close(client))
		p.rest()
		require.EqualValues(t, 1002*len(b), (<-done).n)
	})
}
