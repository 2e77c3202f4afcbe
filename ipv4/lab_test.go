package ipv4

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
)

// testProtocol is a protocol number that the tests' transport has.
const testProtocol = 200

// wire records the datagrams sent.
type wire struct{ *wiretest.Wire }

func newWire(mtu int, f packet.Features) *wire { return &wire{wiretest.New(mtu, f)} }

// sent is a datagram with its parsed header.
type sent struct {
	wiretest.Datagram
	h Header
}

// take returns the datagrams sent since the last call.
func (w *wire) take() (all []sent) {
	for _, d := range w.Take() {
		s := sent{Datagram: d}
		s.h.Parse(d.Data)
		all = append(all, s)
	}
	return all
}

// transport is a Protocol and a Reporter that records its calls.
type transport struct {
	in      []received
	advice  []ip.Error
	quoted  [][]byte
	reports []ip.Error
	about   [][]byte
}

type received struct {
	h       ip.Datagram
	payload []byte
}

func (r *transport) Input(_ time.Duration, d *ip.Datagram, p *packet.Buffer) {
	c := *d
	c.Options = slices.Clone(d.Options)
	r.in = append(r.in, received{c, slices.Clone(p.Bytes())})
	p.Free()
}

func (r *transport) HandleError(_ time.Duration, e *ip.Error, quoted []byte) {
	r.advice = append(r.advice, *e)
	r.quoted = append(r.quoted, slices.Clone(quoted))
}

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
	v4     *Stack
	t      *testing.T
	now    time.Duration
	timers *timer.Queue
	up     *transport
	eth0   *ip.Interface
	wire0  *wire
}

var (
	ownAddr  = addr("10.0.0.2")
	peerAddr = addr("10.0.0.1")
	farAddr  = addr("192.0.2.9")
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// config is of both layers.
type config struct {
	Config
	TTL                       uint8
	Forwarding, SendRedirects bool
	PMTUAge                   time.Duration
	ReassemblyTimeout         time.Duration
	ReassemblyMemory          int
	features                  packet.Features // of eth0
}

func newLab(t *testing.T, cfg config) *lab {
	l := &lab{t: t, timers: new(timer.Queue), up: new(transport), now: time.Second}
	l.Stack = ip.New(ip.Config{
		Timers: l.timers, TTL: cfg.TTL, Forwarding: cfg.Forwarding, SendRedirects: cfg.SendRedirects, PMTUAge: cfg.PMTUAge,
		ReassemblyTimeout: cfg.ReassemblyTimeout, ReassemblyMemory: cfg.ReassemblyMemory,
	})
	l.v4 = New(l.Stack, cfg.Config)
	l.Register(testProtocol, l.up)
	l.v4.SetReporter(l.up)
	l.eth0, l.wire0 = l.attach("eth0", "10.0.0.2/24", newWire(1500, cfg.features))
	return l
}

// add attaches another interface.
func (l *lab) add(name, address string, mtu int) (*ip.Interface, *wire) {
	return l.attach(name, address, newWire(mtu, packet.Features{}))
}

func (l *lab) attach(name, address string, w *wire) (*ip.Interface, *wire) {
	i, err := l.AddInterface(name, w)
	require.NoError(l.t, err)
	require.NoError(l.t, i.AddAddress(prefix(address)))
	return i, w
}

// count is a counter of package ip.
func (l *lab) count(name string) uint64 { return stats.Count(name, l.Stats()...) }

func (l *lab) route(p, gateway string, metric int) {
	require.NoError(l.t, l.AddRoute(ip.RouteEntry{Prefix: prefix(p), Gateway: addr(gateway), Metric: metric}))
}

func (l *lab) advance(d time.Duration) {
	l.timers.Follow(l.now, l.now+d, func(now time.Duration) { l.now = now })
}

// send sends n bytes to dst and returns the datagrams sent on eth0.
func (l *lab) send(dst netip.Addr, h Header, n int) ([]sent, error) {
	r, err := l.Route(dst, netip.Addr{})
	if err != nil {
		return nil, err
	}
	o := ip.Outgoing{Protocol: testProtocol, TOS: h.TOS, TTL: h.TTL, DontFragment: h.DF, Options: h.Options}
	err = l.Send(l.now, r, o, packet.From(pattern(n)))
	return l.wire0.take(), err
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
	return Header{Datagram: ip.Datagram{Src: peerAddr, Dst: ownAddr, TTL: 64, Protocol: testProtocol}, ID: 1}
}

// dgram is a datagram of h, with its Total Length set, and payload.
func dgram(h Header, payload []byte) []byte {
	b := make([]byte, h.Len()+len(payload))
	h.TotalLen = len(b)
	h.put(b[:h.Len()])
	copy(b[h.Len():], payload)
	return b
}

// recv receives bytes at eth0 as if from the wire.
func (l *lab) recv(b []byte) { l.recvAs(b, packet.Unicast) }

func (l *lab) recvAs(b []byte, cast packet.Cast) { l.recvOn(l.eth0, b, cast) }

func (l *lab) recvOn(i *ip.Interface, b []byte, cast packet.Cast) {
	p := packet.From(b)
	p.Cast = cast
	i.Input(l.now, p)
}

// dropped requires that b is dropped without an answer, for the given reason.
func (l *lab) dropped(b []byte, why interface{ Value() uint64 }) {
	l.t.Helper()
	before := why.Value()
	l.recv(b)
	require.Equal(l.t, before+1, why.Value())
	require.Empty(l.t, l.up.take())
	require.Empty(l.t, l.up.takeReports())
	require.Empty(l.t, l.wire0.take())
}

// droppedBy is dropped with a counter of package ip.
func (l *lab) droppedBy(b []byte, name string) {
	l.t.Helper()
	before, delivered := l.count(name), l.v4.stats.InDelivers.Value()
	l.recv(b)
	require.Equal(l.t, before+1, l.count(name))
	require.Equal(l.t, delivered, l.v4.stats.InDelivers.Value())
	require.Empty(l.t, l.up.take())
	require.Empty(l.t, l.up.takeReports())
	require.Empty(l.t, l.wire0.take())
}

func validChecksum(b []byte) bool {
	return checksum.Sum(b[:int(b[0]&15)*4], 0) == 0xffff
}
