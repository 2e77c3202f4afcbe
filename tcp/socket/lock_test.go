package socket

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/tcp"
)

// Segments that come while the socket is locked wait in the backlog, in order, for the holder of the lock.
func TestBacklog(t *testing.T) {
	l := newLab(t)
	p := l.active()
	p.so.mu.Lock()
	for range 20 {
		p.sends(tcp.ACK, "data ")
	}
	p.sends(tcp.FIN|tcp.ACK, "end")
	l.silent()
	p.so.mu.Unlock()
	b := make([]byte, 200)
	n, err := p.so.Read(b, false)
	require.NoError(t, err)
	require.Equal(t, 103, n)
	require.Equal(t, "data end", string(b[n-8:n]))
	require.Equal(t, p.seq, l.one().Ack, "one answer for all")
	require.Zero(t, p.conn().backlog.bytes.Load())
	require.Equal(t, "CLOSE-WAIT", l.state())
}

func TestBacklogIsBounded(t *testing.T) { // SEC-015
	l := newLab(t)
	p := l.active()
	p.so.mu.Lock()
	for range 10_000 {
		p.sends(tcp.ACK, "data")
	}
	dropped := l.stats.DropSocketBusy.Value()
	require.EqualValues(t, 10_000-maxBacklog>>11, dropped, "each has a buffer of 2 KiB")
	big := datagram(p.at, p.to, p.segment(tcp.ACK, string(make([]byte, 60_000))))
	l.tun.Input(0, packet.From(big))
	require.Equal(t, dropped+1, l.stats.DropSocketBusy.Value())
	heldConn{p.conn(), 0}.commit()
	in, _, _ := p.so.Buffered()
	require.Equal(t, 4*(10_000-int(dropped)), in)
	require.Zero(t, p.conn().backlog.bytes.Load())
}

// poke sets again while the lock is held, and commit acts on it: for a segment, a timer, the end of a batch.
func TestPokeWhileLocked(t *testing.T) {
	l := newLab(t)
	p := l.active()
	for name, leave := range map[string]func(){
		"segment": func() { p.sends(tcp.ACK, "data") },
		"timer":   func() { p.conn().Expire(l.clk.Now()) },
		"batch":   func() { p.conn().Flush(l.clk.Now()) },
	} {
		p.so.mu.Lock()
		leave()
		require.True(t, p.conn().again.Load(), name)
		heldConn{p.conn(), l.clk.Now()}.commit()
		require.False(t, p.conn().again.Load(), name)
	}
}

// A timer that expires while the user holds the lock is handled by commit.
func TestTimerWhileLocked(t *testing.T) {
	l := newLab(t)
	p := l.active()
	p.so.writes(t, "data")
	l.take()
	p.so.mu.Lock()
	l.after(time.Second)
	l.silent()
	heldConn{p.conn(), l.clk.Now()}.commit()
	require.Equal(t, "data", string(l.one().Payload))
}

// Answers to a batch go out at its end, once for all.
func TestBatch(t *testing.T) { // TCP-126, TCP-127
	l := newLab(t)
	p := l.active()
	var b packet.Batch
	for range 10 {
		l.batch(&b, p.at, p.to, p.segment(tcp.ACK, "data"))
		p.seq += 4
	}
	l.silent()
	require.Equal(t, "ESTAB", l.state())
	p.so.reads(t, strings.Repeat("data", 10))
	l.silent("a reply may follow")
	b.Flush(l.clk.Now())
	require.Equal(t, p.seq, l.one().Ack)

	l.batch(&b, p.at, p.to, p.segment(tcp.ACK, "data"))
	p.seq += 4
	p.so.writes(t, "reply")
	require.Equal(t, p.seq, l.one().Ack)
	b.Flush(l.clk.Now())
	l.silent("the reply has told")

	p, q := l.active(), l.active()
	l.batch(&b, p.at, p.to, p.segment(tcp.ACK, "p"))
	l.batch(&b, q.at, q.to, q.segment(tcp.ACK, "q"))
	b.Flush(l.clk.Now())
	require.Len(t, l.take(), 2)
}

// TCP-164: where acknowledgments are lost, or a gap opens, each segment of a batch is answered for itself: a flight that a batch holds
// would otherwise have one answer alone, and a sender without SACK no three duplicates.
func TestBatchInTrouble(t *testing.T) {
	l := newLab(t)
	p := l.active()
	var b packet.Batch
	in := func(from int, acks ...int) {
		t.Helper()
		s := p.segment(tcp.ACK, "data")
		s.Seq = s.Seq.Add(from)
		l.batch(&b, p.at, p.to, s)
		for _, ack := range acks {
			require.Equal(t, p.seq.Add(ack), l.one().Ack)
		}
		l.silent()
	}
	in(0)
	in(4)
	in(12, 8)
	in(16, 8)
	in(20, 8)
	in(24)
	b.Flush(l.clk.Now())
	require.Equal(t, p.seq.Add(8), l.one().Ack)
	in(8)
	b.Flush(l.clk.Now())
	require.Equal(t, p.seq.Add(28), l.one().Ack)
	in(8, 28)
	in(28, 32)
	in(32, 36)
	b.Flush(l.clk.Now())
	l.silent()
}

// A connection may come by several device queues, whose batches end at any time. The last segment is answered in any case.
func TestBatchesOfTwoQueues(t *testing.T) {
	l := newLab(t)
	p := l.active()
	for range 3000 {
		p.so.SetQuickAck(true)
		var queues sync.WaitGroup
		for range 2 {
			s := p.segment(tcp.ACK, "x")
			p.seq++
			queues.Go(func() {
				var b packet.Batch
				l.batch(&b, p.at, p.to, s)
				b.Flush(0)
			})
		}
		queues.Wait()
		sent := l.take()
		require.NotEmpty(t, sent)
		require.Equal(t, p.seq, sent[len(sent)-1].Ack)
		p.so.reads(t, "xx")
		l.take()
	}
}

// Everything that a user may do with a socket at once, while segments come in and errors too.
func TestManyUsers(t *testing.T) {
	l := newLab(t)
	l.wire.Discard = true
	p := func() *peer {
		l.wire.Discard = false
		defer func() { l.wire.Discard = true }()
		return l.active()
	}()
	sent := l.frameOf(p)
	const rounds = 500
	var work sync.WaitGroup
	each := func(f func(i int)) {
		work.Go(func() {
			for i := range rounds {
				f(i)
				runtime.Gosched()
			}
		})
	}
	b := make([]byte, 4000)
	for range 2 {
		each(func(int) { _, _ = p.so.Read(make([]byte, 100), false) })
		each(func(int) { _, _ = p.so.Write(b, false) })
		each(func(i int) {
			s := tcp.Segment{Flags: tcp.ACK, Seq: p.seq.Add(i), Ack: p.ack, Wnd: 65535, Payload: []byte("x")}
			l.recv(p.at, p.to, s)
		})
	}
	each(func(int) {
		p.so.Ready()
		p.so.Info()
		p.so.Buffered()
		p.so.Local()
		p.so.Remote()
		p.so.IP()
		p.so.MSS()
	})
	each(func(i int) {
		p.so.SetIP(func(o *ip.SocketOptions) { o.TOS, o.TTL = uint8(i), uint8(i) })
		p.so.SetLinger(i%2 == 0, 0)
		p.so.SetReuse(true, false)
	})
	each(func(i int) { p.so.SetParams(func(s *tcp.Params) { s.NoDelay = i%2 == 0 }) })
	each(func(i int) { p.so.setIPOptions(make([]byte, i%8)) })
	each(func(int) { l.recvError(3, 1, 0, sent) })
	each(func(int) { _ = l.Sockets() })
	each(func(i int) { l.clk.Set(time.Duration(i) * time.Millisecond); l.timers.Advance(l.clk.Now()) })
	work.Wait()
	require.Equal(t, tcp.Established, p.so.Info().State)
	require.False(t, p.conn().again.Load())
	p.so.Abort()
	l.empty()
}

// frameOf is a segment that p's connection has in flight, for errors to quote.
func (l *lab) frameOf(p *peer) frame {
	f := frame{}
	f.ip.Src, f.ip.Dst = p.to.Addr(), p.at.Addr()
	f.SrcPort, f.DstPort, f.Seq = p.to.Port(), p.at.Port(), p.ack
	return f
}

// Connections come in by two queues while their listener is changed, accepts, and is closed.
func TestListenerAtWork(t *testing.T) {
	l := newLab(t)
	l.wire.Discard = true
	listener := l.listen(here, 8)
	var work sync.WaitGroup
	for q := range 2 {
		work.Go(func() {
			for i := range 1000 {
				from := client(q + 2*(i%200))
				l.recv(from, here, tcp.Segment{Flags: tcp.SYN, Seq: 5000, Wnd: 1000}, lsrr(8, "10.0.0.5")...)
				l.recv(from, here, tcp.Segment{Flags: tcp.RST, Seq: 5001})
			}
		})
	}
	work.Go(func() {
		for i := range 1000 {
			listener.SetIP(func(o *ip.SocketOptions) { o.TOS = uint8(i) })
			listener.SetLinger(true, 0)
			listener.SetReuse(true, true)
			listener.setIPOptions(make([]byte, 4*(i%2)))
			listener.SetParams(func(p *tcp.Params) { p.MaxSeg = 500 + i })
			if so, err := listener.Accept(); err == nil {
				so.Abort()
			}
		}
		listener.Abort()
	})
	work.Wait()
	l.empty()
}

// TCP-170: a batch that read the clock before the user did sends no older timestamps than the user's segments had.
func TestTimeOfAConnectionNeverRunsBackwards(t *testing.T) {
	l := newLab(t)
	p := l.connect()
	p.options = tcp.Options{HasTS: true, TSVal: 1}
	p.sends(tcp.SYN|tcp.ACK, "")
	l.take()
	batchTime := l.clk.Now()
	l.clk.Set(batchTime + time.Second)
	p.so.writes(t, "data")
	written := l.one().Options.TSVal
	s := p.segment(tcp.ACK, strings.Repeat("x", 2*1460))
	l.tun.Input(batchTime, packet.From(datagram(p.at, p.to, s)))
	answered := l.one().Options.TSVal
	require.GreaterOrEqual(t, int32(answered-written), int32(0))
}
