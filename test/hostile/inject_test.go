package hostile

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/icmp"
	"tunstack/socketapi"
	"tunstack/tcp"
)

// established is a connection between the honest peer and a server's socket.
func established(t *testing.T, f *family, o tcp.Options) (*lab, *peer, int) {
	l := newLab(t, f, nil)
	listener := l.listen()
	p := l.open(f.honest, o)
	return l, p, l.accept(listener)
}

// works requires that the connection carries bytes both ways.
func (p *peer) works(fd int) {
	p.l.t.Helper()
	p.l.sent = nil
	p.data("are you there?")
	b := make([]byte, 100)
	n, err := p.l.Recv(fd, b, 0)
	require.NoError(p.l.t, err)
	require.Equal(p.l.t, "are you there?", string(b[:n]))
	_, err = p.l.Send(fd, []byte("yes"), 0)
	require.NoError(p.l.t, err)
	var got strings.Builder
	for _, s := range p.heard() {
		got.Write(s.Payload)
	}
	require.Equal(p.l.t, "yes", got.String())
	p.ack = p.ack.Add(3)
	p.send(tcp.Segment{Flags: tcp.ACK})
}

// stride is the distance of the sequence numbers that a blind attacker tries: less than the window, so that some are in it.
const stride = 1 << 15

// sweep sends one segment per stride of sequence space, except at the sequence number expected.
func (p *peer) sweep(s tcp.Segment) {
	for i := range 1 << 32 / stride {
		s.Seq = p.seq + 1 + tcp.Seq(i*stride)
		p.send(s)
	}
}

// SEC-001, SEC-003: a reset is accepted only at RCV.NXT; in the window it causes few challenge ACKs, outside none.
func TestBlindReset(t *testing.T) { eachFamily(t, testBlindReset) }

func testBlindReset(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	p.sweep(tcp.Segment{Flags: tcp.RST})
	p.sweep(tcp.Segment{Flags: tcp.RST | tcp.ACK})
	require.LessOrEqual(t, len(p.heard()), 10)
	require.Positive(t, l.counter("tcp.challenge_acks"))
	require.Zero(t, l.counter("tcp.in.resets"))
	require.Equal(t, 2<<32/stride, l.counter("tcp.drop.reset")+l.counter("tcp.drop.sequence"))
	p.works(fd)

	p.send(tcp.Segment{Flags: tcp.RST})
	_, err := l.Recv(fd, make([]byte, 1), 0)
	require.Equal(t, syscall.ECONNRESET, err, "the right sequence number")
}

// SEC-002, SEC-003
func TestBlindSyn(t *testing.T) { eachFamily(t, testBlindSyn) }

func testBlindSyn(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	p.sweep(tcp.Segment{Flags: tcp.SYN})
	require.LessOrEqual(t, len(p.heard()), 10)
	require.GreaterOrEqual(t, l.counter("tcp.drop.syn"), 1<<32/stride)
	require.Equal(t, 1, l.connections())
	p.works(fd)
}

// RFC 5961 section 5: data with an acknowledgment far off is dropped, at any sequence number.
func TestBlindData(t *testing.T) { eachFamily(t, testBlindData) }

func testBlindData(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	for _, ack := range []tcp.Seq{p.ack + 1, p.ack + 1<<30, p.ack + 1<<31, p.ack - 1<<30} {
		p.sweep(tcp.Segment{Flags: tcp.ACK, Ack: ack, Payload: []byte("forged bytes")})
	}
	require.LessOrEqual(t, l.counter("tcp.challenge_acks"), 10)
	require.Positive(t, l.counter("tcp.drop.bad_ack"))
	p.works(fd)
}

// SEC-003: any segment causes only a few ACKs a second.
func TestAckStorm(t *testing.T) { eachFamily(t, testAckStorm) }

func testAckStorm(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	for i := range 10 {
		for j := range 2000 {
			p.send(tcp.Segment{Flags: tcp.ACK, Ack: p.ack + tcp.Seq(1+j)})              // never sent
			p.send(tcp.Segment{Flags: tcp.ACK, Seq: p.seq - 1})                         // a keep-alive probe
			p.send(tcp.Segment{Flags: tcp.ACK})                                         // a duplicate
			p.send(tcp.Segment{Flags: tcp.ACK, Seq: p.seq + 1<<20, Ack: p.ack - 1<<20}) // far outside
		}
		require.LessOrEqual(t, len(p.heard()), 10, "in second %d", i)
		l.after(time.Second)
	}
	p.works(fd)
}

// SEC-019: acknowledging unsent data opens no window.
func TestOptimisticAcks(t *testing.T) { eachFamily(t, testOptimisticAcks) }

func testOptimisticAcks(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1000})
	n, err := l.Send(fd, make([]byte, 1<<20), 0)
	require.NoError(t, err)
	require.Greater(t, n, 100000)
	flight := len(p.heard())
	before := l.info(fd)
	for i := range 1000 {
		p.send(tcp.Segment{Flags: tcp.ACK, Ack: p.ack.Add(flight*1000 + 1 + i*1000)})
	}
	after := l.info(fd)
	require.Equal(t, before.SndCwnd, after.SndCwnd)
	require.Equal(t, before.Unacked, after.Unacked)
	require.Zero(t, after.BytesAcked)
	require.Equal(t, 1000, l.counter("tcp.drop.bad_ack"))
	for _, s := range p.heard() {
		require.Empty(t, s.Payload)
	}
}

// RFC 2018 section 8: a receiver may renege on SACKed data, so the sender keeps it until it is acknowledged.
func TestSackReneging(t *testing.T) { eachFamily(t, testSackReneging) }

func testSackReneging(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1000, SackPermitted: true})
	data := make([]byte, 10000)
	for i := range data {
		data[i] = byte(i / 1000)
	}
	n, err := l.Send(fd, data, 0)
	require.NoError(t, err)
	require.Equal(t, len(data), n)
	require.Len(t, p.heard(), 10)
	p.send(tcp.Segment{Flags: tcp.ACK, Options: tcp.Options{SackCount: 1, Sack: [4]tcp.Range{{Start: p.ack + 1000, End: p.ack + 10000}}}})
	start, got := p.ack, make([]byte, len(data))
	for range 200 { // from now on the peer has discarded its out-of-order data, and accepts segments in order only
		for _, s := range p.heard() {
			if len(s.Payload) > 0 && s.Seq.LessEq(p.ack) && p.ack.Less(s.End()) {
				copy(got[s.Seq-start:], s.Payload)
				p.ack = s.End()
				p.send(tcp.Segment{Flags: tcp.ACK})
			}
		}
		l.after(100 * time.Millisecond)
	}
	require.Equal(t, start.Add(len(data)), p.ack)
	require.Equal(t, data, got)
}

// SEC-008, SEC-010: an error about a segment that is not in flight is ignored; an error about one in flight cannot make
// segments tiny.
func TestFragmentationNeeded(t *testing.T) { eachFamily(t, testFragmentationNeeded) }

func testFragmentationNeeded(t *testing.T, f *family) {
	for _, mtu := range []int{0, 1, 67, 68, 296, 1279, 1280, 1499, 1500, 65535} {
		l, p, fd := established(t, f, tcp.Options{MSS: 1460})
		_, err := l.Send(fd, make([]byte, 100000), 0)
		require.NoError(t, err)
		first := p.heard()[0]
		for range 1000 {
			l.inject(tooBig(p, first.Seq-1, mtu))
			l.inject(tooBig(p, first.Seq.Add(1<<20), mtu))
		}
		require.Zero(t, l.counter("ip.pmtu.lowered"))
		for range 1000 {
			l.inject(tooBig(p, first.Seq, mtu))
		}
		require.LessOrEqual(t, l.counter("ip.pmtu.lowered"), 10, "plateaus")
		require.GreaterOrEqual(t, int(l.info(fd).SndMSS), f.least-f.header-tcp.HeaderLen, "MTU %d", mtu)
		l.after(time.Second)
		p.ack = first.End()
		p.send(tcp.Segment{Flags: tcp.ACK})
		require.NotEmpty(t, p.heard(), "it goes on")
	}
}

// tooBig is a forged error about a segment that the victim sent to p.
func tooBig(p *peer, seq tcp.Seq, mtu int) []byte {
	return p.l.tooBig(mtu, p.quote(seq))
}

// quote is the beginning of a segment of the victim to p, as an error quotes it.
func (p *peer) quote(seq tcp.Seq) []byte {
	return segment(p.l.victim, p.addr, tcp.Segment{Flags: tcp.ACK, Seq: seq, Payload: make([]byte, 1460)})[:p.l.header+8]
}

// SEC-016: a SYN with its destination as its source.
func TestLANDAttack(t *testing.T) { eachFamily(t, testLANDAttack) }

func testLANDAttack(t *testing.T, f *family) {
	l := newLab(t, f, nil)
	l.listen()
	for range 1000 {
		l.inject(segment(f.victim, f.victim, tcp.Segment{Flags: tcp.SYN, Seq: 1, Wnd: 1000}))
	}
	require.Empty(t, l.sent)
	require.Zero(t, l.connections())
	require.Equal(t, 1000, l.counter(f.dropSource))
}

// hardErrors are the heads of the errors that say that a host, port or protocol cannot be reached.
func (f *family) hardErrors() (heads [][]byte) {
	for code := range byte(16) {
		switch {
		case f == six:
			heads = append(heads, []byte{icmp.Unreachable6, code, 0, 0, 0, 0, 0, 0}, []byte{icmp.ParameterProblem6, code, 0, 0, 0, 0, 0, 40})
		case code != icmp.CodeFragNeeded:
			heads = append(heads, []byte{icmp.Unreachable, code, 0, 0, 0, 0, 0, 0})
		}
	}
	return heads
}

// SEC-009: hard errors do not end connections.
func TestHardErrors(t *testing.T) { eachFamily(t, testHardErrors) }

func testHardErrors(t *testing.T, f *family) {
	l, p, fd := established(t, f, tcp.Options{MSS: 1460})
	_, err := l.Send(fd, []byte("x"), 0)
	require.NoError(t, err)
	first := p.heard()[0]
	for _, e := range f.hardErrors() {
		l.inject(f.message(f.attacker, f.victim.Addr(), append(e, p.quote(first.Seq)...)))
	}
	require.Positive(t, l.counter(f.errors))
	p.ack++
	p.send(tcp.Segment{Flags: tcp.ACK})
	p.works(fd)
	_, err = l.Recv(fd, make([]byte, 1), socketapi.MSG_PEEK)
	require.Equal(t, syscall.EAGAIN, err)
}
