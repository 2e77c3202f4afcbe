package link

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/stats"
	"tunstack/internal/timer"
	"tunstack/tun"
)

// device is a tun.Device with two queues that records the packets written to it.
type device struct {
	features packet.Features
	discard  bool  // frees packets without recording
	err      error // of every Write

	mu   sync.Mutex
	sent []sent
}

// sent is a packet that was written to a device.
type sent struct {
	queue int
	data  []byte
}

// deviceQueue is one queue of a device.
type deviceQueue struct {
	d     *device
	index int
}

func (d *device) Name() string              { return "test0" }
func (d *device) Kind() tun.Kind            { return tun.TAP }
func (d *device) MTU() int                  { return 1500 }
func (d *device) Features() packet.Features { return d.features }
func (d *device) Queues() []tun.Queue       { return []tun.Queue{&deviceQueue{d, 0}, &deviceQueue{d, 1}} }
func (d *device) Close() error              { return nil }

func (q *deviceQueue) TryRead() (*packet.Buffer, error) { return nil, nil }
func (q *deviceQueue) Wait() error                      { return nil }

func (q *deviceQueue) Write(p *packet.Buffer) error {
	if !q.d.discard {
		c := p.Clone()
		q.d.mu.Lock()
		q.d.sent = append(q.d.sent, sent{q.index, c.Bytes()})
		q.d.mu.Unlock()
	}
	p.Free()
	return q.d.err
}

// received is one packet passed to a Handler.
type received struct {
	now  time.Duration
	data []byte
	cast packet.Cast
}

// handler is a Handler that records its packets, or calls input.
type handler struct {
	mu          sync.Mutex
	in, unreach []received
	notRouters  []netip.Addr                              // that NotRouter was called with
	silent      []netip.Addr                              // that Silent was called with
	anycasts    []netip.Addr                              // for which IsAnycast is true
	input       func(now time.Duration, p *packet.Buffer) // called instead of recording, unless nil
}

func (h *handler) Input(now time.Duration, p *packet.Buffer) {
	if h.input != nil {
		h.input(now, p)
		return
	}
	h.keep(&h.in, now, p)
}

func (h *handler) Unreachable(now time.Duration, p *packet.Buffer) { h.keep(&h.unreach, now, p) }

func (h *handler) NotRouter(_ time.Duration, a netip.Addr) { h.notRouters = append(h.notRouters, a) }

func (h *handler) Silent(_ time.Duration, a netip.Addr) { h.silent = append(h.silent, a) }

func (h *handler) IsAnycast(a netip.Addr) bool { return slices.Contains(h.anycasts, a) }

// Source reads the headers of datagram.
func (h *handler) Source(p *packet.Buffer) netip.Addr {
	if p.Bytes()[0]>>4 == 6 {
		return netip.AddrFrom16([16]byte(p.Bytes()[8:24]))
	}
	return netip.AddrFrom4([4]byte(p.Bytes()[12:16]))
}

// IsHost excludes the broadcast address of 10.0.0.0/24.
func (h *handler) IsHost(a netip.Addr) bool {
	if a.Is6() {
		return !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback()
	}
	first := a.As4()[0]
	return first != 0 && first < 224 && first != 127 && a != netip.MustParseAddr("10.0.0.255")
}

func (h *handler) keep(to *[]received, now time.Duration, p *packet.Buffer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*to = append(*to, received{now, append([]byte{}, p.Bytes()...), p.Cast})
	p.Free()
}

var (
	myMAC    = MAC{2, 0, 0, 0, 0, 2}
	hostMAC  = MAC{2, 0, 0, 0, 0, 1}
	otherMAC = MAC{2, 0, 0, 0, 0, 9}
	myIP     = netip.MustParseAddr("10.0.0.2")
	hostIP   = netip.MustParseAddr("10.0.0.1")
	otherIP  = netip.MustParseAddr("10.0.0.9")
	zeroIP   = netip.IPv4Unspecified()
	allHosts = netip.MustParseAddr("224.0.0.1")
)

// lab is an Ethernet in virtual time, with its device and the layer above.
type lab struct {
	*handler
	t         testing.TB
	e         *Ethernet
	dev       *device
	timers    timer.Queue
	now       time.Duration
	conflicts []*Conflict
}

// newLab returns a lab whose Ethernet owns myIP if no probes are asked for.
func newLab(t testing.TB, cfg Config) *lab {
	l := &lab{handler: &handler{}, t: t, dev: &device{}}
	cfg.Device, cfg.Timers, cfg.Rand = l.dev, &l.timers, rand.NewChaCha8([32]byte{7})
	if cfg.MAC == (MAC{}) {
		cfg.MAC = myMAC
	}
	cfg.Conflict = func(_ time.Duration, c *Conflict) { l.conflicts = append(l.conflicts, c) }
	e, err := NewEthernet(cfg)
	require.NoError(t, err)
	e.SetHandler(l)
	e.Join(allHosts)
	l.e = e
	if cfg.ACD.ProbeNum < 0 {
		e.Claim(0, myIP, func(_ time.Duration, err error) { require.NoError(t, err) })
	}
	return l
}

// claimed is a Config that owns addresses at once, without probes and announcements.
var claimed = Config{ACD: ACD{ProbeNum: -1, AnnounceNum: -1}}

// advance moves the time on by d, from deadline to deadline.
func (l *lab) advance(d time.Duration) {
	l.timers.Follow(l.now, l.now+d, func(now time.Duration) { l.now = now })
}

// frame receives a frame.
func (l *lab) frame(dst, src MAC, typ uint16, payload []byte) {
	p := packet.From(payload)
	putFrame(p.Prepend(headerSize), dst, src, typ)
	l.e.Input(l.now, p)
}

// hears receives an ARP packet; a request goes to all stations, a reply to this one.
func (l *lab) hears(op uint16, sha MAC, spa, tpa netip.Addr) {
	a := arpPacket{op: op, sha: sha, spa: spa, tpa: tpa}
	dst := broadcast
	if op == opReply {
		dst, a.tha = l.e.mac, l.e.mac
	}
	l.e.Input(l.now, a.frameFor(dst))
}

// output sends a datagram from an owned address.
func (l *lab) output(nextHop netip.Addr, payload string) error {
	return l.e.Output(l.now, datagram(myIP, nextHop, payload), nextHop)
}

// datagram is not a valid datagram, but enough for a link.
func datagram(src, dst netip.Addr, payload string) *packet.Buffer {
	p := packet.New(20 + len(payload))
	b := p.Extend(20 + len(payload))
	clear(b)
	s, d := src.As4(), dst.As4()
	b[0] = 0x45
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	copy(b[20:], payload)
	return p
}

// sends compares the frames sent since the last call.
func (l *lab) sends(want ...string) {
	l.t.Helper()
	got := []string{}
	for _, s := range l.dev.sent {
		got = append(got, describe(s.data))
	}
	l.dev.sent = nil
	require.Equal(l.t, append([]string{}, want...), got)
}

// is compares a neighbour's state; "" means no entry.
func (l *lab) is(ip netip.Addr, want State) {
	l.t.Helper()
	for _, n := range l.e.Neighbors(l.now) {
		if n.IP == ip {
			require.Equal(l.t, want, n.State)
			return
		}
	}
	require.Empty(l.t, want)
}

// describe prints a frame like tcpdump, with names for the stations.
func describe(b []byte) string {
	name := func(m MAC) string {
		n, ok := map[MAC]string{myMAC: "me", hostMAC: "host", otherMAC: "other", broadcast: "all"}[m]
		if !ok {
			n = m.String()
		}
		return n
	}
	dst := name(MAC(b[0:6]))
	if MAC(b[6:12]) != myMAC {
		return "frame from " + name(MAC(b[6:12]))
	}
	switch binary.BigEndian.Uint16(b[12:]) {
	case typeIPv4:
		return fmt.Sprintf("> %s: ip %s", dst, b[headerSize+20:])
	case typeARP:
		a, ok := parseARP(b[headerSize:])
		switch {
		case !ok || a.sha != myMAC || len(b) != headerSize+arpSize:
			return "bad arp"
		case a.op == opRequest && a.tha == MAC{}:
			return fmt.Sprintf("> %s: who-has %s tell %s", dst, a.tpa, a.spa)
		case a.op == opReply && name(a.tha) == dst:
			return fmt.Sprintf("> %s: %s is-at me, to %s", dst, a.spa, a.tpa)
		}
		return "odd arp"
	case typeIPv6:
		return fmt.Sprintf("> %s: %s", dst, describe6(b[headerSize:]))
	}
	return "odd type"
}

func (l *lab) counter(name string) uint64 { return stats.Count(name, l.e.Stats()) }
func (l *lab) arp(name string) uint64     { return stats.Count(name, l.e.ARPStats()) }
func (l *lab) cache(name string) uint64   { return stats.Count(name, l.e.NeighborStats()) }

// addr is a neighbour's address, 0 the address of a probe, and 255 the broadcast address.
func addr(b byte) netip.Addr {
	switch b {
	case 0:
		return zeroIP
	case 255:
		return netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, b})
}
