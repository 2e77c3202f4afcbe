package ipv6

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
)

// testProtocol is a protocol number that the tests' transport has.
const testProtocol = 200

// sent is a datagram with its parsed header.
type sent struct {
	wiretest.Datagram
	h Header
}

func (s sent) payload() []byte { return s.Data[s.h.HeaderLen:] }

// wire records the datagrams sent.
type wire struct{ *wiretest.Wire }

// take returns the datagrams sent since the last call, all of which must have a header.
func (w *wire) take(t *testing.T) (all []sent) {
	t.Helper()
	for _, d := range w.Take() {
		s := sent{Datagram: d}
		require.True(t, s.h.Parse(d.Data))
		require.Equal(t, len(d.Data), s.h.TotalLen)
		all = append(all, s)
	}
	return all
}

// transport is a Protocol and a Reporter that records its calls.
type transport struct {
	in      []received
	reports []ip.Error
	about   [][]byte
}

type received struct {
	h       ip.Datagram
	payload []byte
}

func (r *transport) Input(_ time.Duration, d *ip.Datagram, p *packet.Buffer) {
	r.in = append(r.in, received{*d, slices.Clone(p.Bytes())})
	p.Free()
}

func (r *transport) HandleError(time.Duration, *ip.Error, []byte) {}

func (r *transport) Report(_ time.Duration, e ip.Error, _ *ip.Datagram, p *packet.Buffer) {
	r.reports = append(r.reports, e)
	r.about = append(r.about, slices.Clone(p.Bytes()))
}

// take returns the datagrams received since the last call.
func (r *transport) take() []received {
	in := r.in
	r.in = nil
	return in
}

func (r *transport) takeReports() []ip.Error {
	e := r.reports
	r.reports, r.about = nil, nil
	return e
}

// lab is a stack in virtual time with one interface, eth0, and a transport that records everything.
type lab struct {
	*ip.Stack
	v6     *Stack
	t      *testing.T
	now    time.Duration
	timers *timer.Queue
	up     *transport
	eth0   *ip.Interface
	wire0  *wire
}

var (
	ownAddr  = addr("2001:db8::2")
	peerAddr = addr("2001:db8::1")
	farAddr  = addr("2001:db8:9::9")
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// config is of both layers.
type config struct {
	Config
	Forwarding bool
	features   packet.Features // of eth0
}

func newLab(t *testing.T, cfg config) *lab {
	l := &lab{t: t, timers: new(timer.Queue), up: new(transport), now: time.Second}
	l.Stack = ip.New(ip.Config{Timers: l.timers, Forwarding: cfg.Forwarding})
	l.v6 = New(l.Stack, cfg.Config)
	l.Register(testProtocol, l.up)
	l.v6.SetReporter(l.up)
	l.eth0, l.wire0 = l.attach("eth0", 1500, cfg.features, "2001:db8::2/64", "fe80::2/64")
	return l
}

// attach adds an interface with addresses.
func (l *lab) attach(name string, mtu int, f packet.Features, addrs ...string) (*ip.Interface, *wire) {
	w := &wire{wiretest.New(mtu, f)}
	i, err := l.AddInterface(name, w)
	require.NoError(l.t, err)
	for _, a := range addrs {
		require.NoError(l.t, i.AddAddress(prefix(a)))
	}
	return i, w
}

// count is a counter of package ip.
func (l *lab) count(name string) uint64 { return stats.Count(name, l.Stats()...) }

func (l *lab) advance(d time.Duration) {
	l.timers.Follow(l.now, l.now+d, func(now time.Duration) { l.now = now })
}

// send sends n bytes to dst and returns the datagrams sent on eth0.
func (l *lab) send(dst netip.Addr, o ip.Outgoing, n int) ([]sent, error) {
	r, err := l.Route(dst, netip.Addr{})
	if err != nil {
		return nil, err
	}
	o.Protocol = testProtocol
	err = l.Send(l.now, r, o, packet.From(pattern(n)))
	return l.wire0.take(l.t), err
}

// pattern is n bytes that depend on their position.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// unicast is the header of a datagram from the peer to the stack.
func unicast() Header {
	return Header{Datagram: ip.Datagram{Src: peerAddr, Dst: ownAddr, TTL: 64, Protocol: testProtocol}}
}

// between is the header of a datagram.
func between(src, dst string) Header {
	h := unicast()
	h.Src, h.Dst = addr(src), addr(dst)
	return h
}

// ext is an extension header: its number, and its content without Next Header and, except for Fragment, without the length.
type ext struct {
	number byte
	body   []byte
}

// dgram is a datagram of h, the extension headers and payload.
func dgram(h Header, payload []byte, chain ...ext) []byte {
	last := h.Protocol
	var rest []byte
	for i, e := range chain {
		next := last
		if i+1 < len(chain) {
			next = chain[i+1].number
		}
		if e.number == NextFragment {
			rest = append(append(rest, next), e.body...)
			continue
		}
		rest = append(append(rest, next, byte((len(e.body)+2)/8-1)), e.body...)
	}
	if len(chain) > 0 {
		h.Protocol = chain[0].number
	}
	b := make([]byte, HeaderLen, HeaderLen+len(rest)+len(payload))
	h.TotalLen = cap(b)
	h.put(b)
	return append(append(b, rest...), payload...)
}

// fragmentExt is a Fragment header.
func fragmentExt(id byte, offset int, more bool) ext {
	field := offset
	if more {
		field |= 1
	}
	return ext{NextFragment, []byte{0, byte(field >> 8), byte(field), 0, 0, 0, id}}
}

// padded are options with Pad1 and PadN behind them up to a whole header.
func padded(options ...byte) []byte {
	switch missing := (8 - (len(options)+2)%8) % 8; {
	case missing == 1:
		options = append(options, optionPad1)
	case missing > 1:
		options = append(append(options, optionPadN, byte(missing-2)), make([]byte, missing-2)...)
	}
	return options
}

// recv receives bytes at eth0 as if from the wire.
func (l *lab) recv(b []byte) { l.recvOn(l.eth0, b, packet.Unicast) }

func (l *lab) recvOn(i *ip.Interface, b []byte, cast packet.Cast) {
	p := packet.From(b)
	p.Cast = cast
	i.Input(l.now, p)
}

// delivered requires that b is delivered with a payload.
func (l *lab) delivered(b, payload []byte) {
	l.t.Helper()
	l.recv(b)
	in := l.up.take()
	require.Len(l.t, in, 1)
	require.Equal(l.t, payload, in[0].payload)
	require.Empty(l.t, l.up.takeReports())
}

// dropped requires that b is dropped without an answer, for the given reason.
func (l *lab) dropped(b []byte, why *stats.Counter) {
	l.t.Helper()
	l.reported(b, why)
}

// reported requires that b is dropped, for the given reason, with the given reports.
func (l *lab) reported(b []byte, why *stats.Counter, reports ...ip.Error) {
	l.t.Helper()
	before := why.Value()
	l.recv(b)
	require.Equal(l.t, before+1, why.Value())
	require.Empty(l.t, l.up.take())
	require.Equal(l.t, reports, l.up.takeReports())
	require.Empty(l.t, l.wire0.Take())
}

// problem is a Parameter Problem.
func problem(code uint8, pointer int) ip.Error {
	return ip.Error{Kind: ip.BadParameter, Code: code, Pointer: pointer}
}

// unknown is a Parameter Problem about a Next Header value.
func unknown(pointer int) ip.Error { return ip.Error{Kind: ip.ProtocolUnreachable, Pointer: pointer} }

// tap records its datagrams.
type tap struct{ seen [][]byte }

func (t *tap) Tap(_ time.Duration, _ *ip.Datagram, p *packet.Buffer) {
	t.seen = append(t.seen, slices.Clone(p.Bytes()))
}

func (t *tap) HandleError(time.Duration, *ip.Error, []byte) {}

func newTestWire(mtu int) *wiretest.Wire { return wiretest.New(mtu, packet.Features{}) }
