package hostile

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/socketapi"
	"tunstack/tcp"
)

// orphans open connections to the victim, request size bytes each, and let its application close them.
func (l *lab) orphans(listener, from, count, size int) (peers []*peer) {
	for i := range count {
		p := l.open(netip.AddrPortFrom(l.attacker, uint16(1024+from+i)), tcp.Options{MSS: 1460})
		fd := l.accept(listener)
		if size > 0 {
			_, err := l.Send(fd, make([]byte, size), 0)
			require.NoError(l.t, err)
		}
		require.NoError(l.t, l.Close(fd))
		l.sent = nil
		peers = append(peers, p)
	}
	return peers
}

// Closed connections whose peers prevent their end, by a trickle of acknowledgments on one of them, share a bounded memory. The
// ones closed first are reset, and an honest peer gets all data.
func TestOrphansAreBounded(t *testing.T) { eachFamily(t, testOrphansAreBounded) }

func testOrphansAreBounded(t *testing.T, f *family) {
	const limit, size = 8 << 20, 64 << 10
	l := newLab(t, f, func(c *socketapi.Config) { c.TCP.OrphanMemory = limit })
	listener := l.listen()
	before := heap()
	trickle := l.orphans(listener, 0, 50, size)
	p := l.open(l.honest, tcp.Options{MSS: 1460})
	fd := l.accept(listener)
	_, err := l.Send(fd, make([]byte, size), 0)
	require.NoError(t, err)
	require.NoError(t, l.Close(fd))
	end := p.ack.Add(size)
	for i := range 100 {
		l.orphans(listener, 1000+i, 1, size)
		for _, q := range trickle {
			q.ack++
			q.send(tcp.Segment{Flags: tcp.ACK})
		}
		l.sent = nil
		if p.ack != end {
			p.ack = p.ack.Add(size / 64)
			p.send(tcp.Segment{Flags: tcp.ACK})
		}
		l.after(time.Second)
	}
	p.ack++ // the FIN
	p.send(tcp.Segment{Flags: tcp.ACK | tcp.FIN})
	require.Contains(t, fmt.Sprint(l.Sockets()), "TIME-WAIT", "the honest one has ended in good order")
	require.Less(t, heap()-before, limit+4<<20)
	require.LessOrEqual(t, l.connections(), limit/size)
	require.GreaterOrEqual(t, l.counter("tcp.orphan.given_up"), 20)
	require.Greater(t, l.connections(), limit/size/2, "no more than need be")
}

// SEC-020: connections in TIME-WAIT are bounded, too.
func TestTimeWaitIsBounded(t *testing.T) { eachFamily(t, testTimeWaitIsBounded) }

func testTimeWaitIsBounded(t *testing.T, f *family) {
	const limit = 1 << 20
	l := newLab(t, f, func(c *socketapi.Config) { c.TCP.OrphanMemory = limit })
	listener := l.listen()
	for i := range 1000 {
		p := l.orphans(listener, i, 1, 0)[0]
		p.ack++
		p.send(tcp.Segment{Flags: tcp.ACK | tcp.FIN})
		l.sent = nil
	}
	require.Equal(t, limit/4096, l.connections())
	require.Equal(t, 1000-limit/4096, l.counter("tcp.orphan.given_up"))
	require.Contains(t, fmt.Sprint(l.Sockets()), "TIME-WAIT")
	l.after(2 * time.Minute)
	require.Zero(t, l.connections())
}

// The memory charged for an orphan is not less than its real memory.
func TestWeightOfOrphans(t *testing.T) { eachFamily(t, testWeightOfOrphans) }

func testWeightOfOrphans(t *testing.T, f *family) {
	const count = 2000
	l := newLab(t, f, nil)
	listener := l.listen()
	before := heap()
	l.orphans(listener, 0, count, 0)
	require.Equal(t, count, l.connections())
	require.Less(t, (heap()-before)/count, 4096)
}

// SEC-061: memory that a peer makes a connection hold is charged to it when its owner is gone, or released: bytes received
// ahead of a gap, flights split by SACK, and the records of gaps after SHUT_RD.
func TestOrphansOfEachKind(t *testing.T) { eachFamily(t, testOrphansOfEachKind) }

func testOrphansOfEachKind(t *testing.T, f *family) {
	const limit, count = 32 << 20, 4000
	for _, kind := range []struct {
		name string
		hold func(l *lab, p *peer, fd int)
	}{
		{"ahead of a gap", func(l *lab, p *peer, fd int) {
			for i := range 3 {
				p.send(tcp.Segment{Flags: tcp.ACK, Seq: p.seq.Add(1 + i*20001), Payload: make([]byte, 20000)})
			}
		}},
		{"split flights", func(l *lab, p *peer, fd int) {
			_, err := l.Send(fd, make([]byte, 40000), 0)
			require.NoError(l.t, err)
			for i := range 40 {
				s := tcp.Segment{Flags: tcp.ACK}
				s.Options.SackCount = 4
				for j := range 4 {
					start := p.ack.Add((2*(4*i+j) + 1) * 100)
					s.Options.Sack[j] = tcp.Range{Start: start, End: start.Add(100)}
				}
				p.send(s)
			}
		}},
		{"gaps after SHUT_RD", func(l *lab, p *peer, fd int) {
			require.NoError(l.t, l.Shutdown(fd, socketapi.SHUT_RD))
			for i := range 100 {
				p.send(tcp.Segment{Flags: tcp.ACK, Seq: p.seq.Add(1 + 2*i), Payload: []byte("x")})
			}
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			l := newLab(t, f, func(c *socketapi.Config) { c.TCP.OrphanMemory = limit })
			l.out = func([]byte) {}
			listener := l.listen()
			before := heap()
			for i := range count {
				l.out = nil
				p := l.open(netip.AddrPortFrom(l.attacker, uint16(1024+i)), tcp.Options{MSS: 100, SackPermitted: true})
				l.out = func([]byte) {}
				fd := l.accept(listener)
				kind.hold(l, p, fd)
				require.NoError(t, l.Close(fd))
			}
			require.Less(t, heap()-before, limit+4<<20)
			require.Greater(t, l.connections(), 100)
			l.after(20 * time.Minute)
			require.Zero(t, l.connections())
		})
	}
}
