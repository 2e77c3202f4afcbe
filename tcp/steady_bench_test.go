package tcp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/race"
	"tunstack/tcp"
)

// pair is two machines joined by a wire without losses and with a delay of a microsecond.
type pair struct {
	now  time.Duration
	a, b *tcp.Conn
	seg  tcp.Segment
	wire []byte // the segment on the wire, a copy because Input must not see the sender's memory
}

// newPair returns an established connection whose segments carry up to maxPayload bytes at once; 0: a full-sized segment.
func newPair(t testing.TB, maxPayload int, congestion string) *pair {
	cfg := tcp.Config{Congestion: congestion}.WithDefaults()
	setup := tcp.Setup{ISS: 1, MTU: 1500, LinkMTU: 1500, MaxPayload: maxPayload}
	params := tcp.Params{NoDelay: true}
	p := &pair{a: tcp.Open(0, &cfg, &params, setup), wire: make([]byte, 1<<16)}
	var syn tcp.Segment
	require.True(t, p.a.Output(0, &syn))
	p.b = tcp.Accept(0, &cfg, &params, setup, &syn)
	p.exchange()
	require.Equal(t, tcp.Established, p.a.State())
	require.Equal(t, tcp.Established, p.b.State())
	return p
}

// exchange delivers segments until both machines have no more output.
func (p *pair) exchange() {
	for p.carry(p.a, p.b) || p.carry(p.b, p.a) {
	}
}

// carry delivers all output of one machine to the other.
func (p *pair) carry(from, to *tcp.Conn) (any bool) {
	for from.Output(p.now, &p.seg) {
		n := copy(p.wire, p.seg.Payload)
		n += copy(p.wire[n:], p.seg.Wrap)
		p.seg.Payload, p.seg.Wrap = p.wire[:n], nil
		p.now += time.Microsecond
		to.Input(p.now, &p.seg)
		any = true
	}
	from.Events()
	return any
}

// send moves p.a's bytes to b's reader.
func (p *pair) send(from, to *tcp.Conn, data, into []byte) {
	for len(data) > 0 {
		data = data[from.Write(p.now, data):]
		p.now += time.Microsecond // so that a pacer proceeds
		p.exchange()
		for to.Read(p.now, into) > 0 {
		}
		p.exchange()
	}
}

// steady are the loads whose steady state is measured.
var steady = []struct {
	name       string
	size       int // bytes of one turn
	maxPayload int
	echo       bool
	congestion string
}{
	{name: "bulk/segment", size: 14480},
	{name: "bulk/super", size: 1 << 18, maxPayload: 65535 - 80},
	{name: "bulk/bbr", size: 1 << 18, maxPayload: 65535 - 80, congestion: "bbr"},
	{name: "echo", size: 1, echo: true},
}

func (p *pair) turn(data, into []byte, echo bool) {
	p.send(p.a, p.b, data, into)
	if echo {
		p.send(p.b, p.a, data, into)
	}
}

// Input and Output allocate nothing per segment, in both directions.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	for _, s := range steady {
		p := newPair(t, s.maxPayload, s.congestion)
		data, into := make([]byte, s.size), make([]byte, 1<<16)
		for range 1000 { // until the buffers have reached their size
			p.turn(data, into, s.echo)
		}
		require.Zero(t, testing.AllocsPerRun(1000, func() { p.turn(data, into, s.echo) }), s.name)
	}
}

func BenchmarkSteadyState(b *testing.B) {
	for _, s := range steady {
		b.Run(s.name, func(b *testing.B) {
			p := newPair(b, s.maxPayload, s.congestion)
			data, into := make([]byte, s.size), make([]byte, 1<<16)
			b.ReportAllocs()
			b.SetBytes(int64(s.size))
			for b.Loop() {
				p.turn(data, into, s.echo)
			}
		})
	}
}

func BenchmarkCodec(b *testing.B) {
	for _, s := range []tcp.Segment{
		{Flags: tcp.ACK, Seq: 1, Ack: 2, Wnd: 3},
		{Flags: tcp.ACK, Seq: 1, Ack: 2, Wnd: 3, Options: tcp.Options{HasTS: true, TSVal: 4, TSEcr: 5}},
		{Flags: tcp.SYN, Seq: 1, Wnd: 3, Options: tcp.Options{MSS: 1460, HasScale: true, Scale: 7, SackPermitted: true, HasTS: true, TSVal: 4}},
	} {
		header := make([]byte, s.HeaderLen())
		s.PutHeader(header)
		b.Run(fmt.Sprintf("put/%d", len(header)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.PutHeader(header)
			}
		})
		b.Run(fmt.Sprintf("parse/%d", len(header)), func(b *testing.B) {
			b.ReportAllocs()
			var out tcp.Segment
			for b.Loop() {
				if err := out.Parse(header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
