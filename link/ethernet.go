package link

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
	"tunstack/tun"
)

// Config of an Ethernet; zero values mean the documented defaults.
type Config struct {
	Device    tun.Device // required
	Timers    *Timers    // required
	Rand      io.Reader  // a cryptographic source, read by NewEthernet; nil: crypto/rand
	MAC       MAC        // the stack's address; zero: a random one, locally administered
	Neighbors NeighborCache
	ACD       ACD
	Router    bool // the stack forwards: its advertisements say so (RFC 4861 section 4.4)

	// Conflict, unless nil, is called when another host uses an address of the stack, at most once per DefendInterval and
	// address. It must not block.
	Conflict func(now time.Duration, c *Conflict)
}

// Ethernet is the link of a TAP device: Ethernet frames (RFC 894 and RFC 2464, on receive also RFC 1042). ARP finds the neighbours of IPv4
// (RFC 826) and keeps the stack's addresses unique (RFC 5227), neighbor discovery does so for IPv6 (RFC 4861, RFC 4862).
//
// It answers requests only for the addresses that Claim has made the stack's.
type Ethernet struct {
	wire
	arp       arp
	discovery discovery
	neighbors neighborCounters
	cfg       Config
	mac       MAC
	groups    atomic.Pointer[map[MAC]int] // multicast addresses received, and how often each was joined

	mu         sync.Mutex // guards everything below; reading the table needs no lock
	table      *table
	ranking    ranking
	held       hold
	claims     map[netip.Addr]*claim
	randomness *mathrand.Rand
}

// NewEthernet returns the link of a device of kind TAP. It fails without Device or Timers, if the own MAC is a group address, or if Rand
// cannot be read.
func NewEthernet(cfg Config) (*Ethernet, error) {
	if cfg.Device == nil || cfg.Timers == nil {
		return nil, errors.New("an Ethernet link needs a device and timers")
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	random := mathrand.New(mathrand.NewChaCha8(seed))
	e := &Ethernet{
		cfg: cfg, mac: cfg.MAC, randomness: random,
		table: newTable(random.Uint64(), random.Uint64()), claims: map[netip.Addr]*claim{},
	}
	e.arp.e, e.arp.acd = e, cfg.ACD.defaults()
	e.discovery.init(e)
	e.cfg.Neighbors = cfg.Neighbors.defaults()
	e.init(cfg.Device)
	if e.mac == (MAC{}) {
		e.mac = randomMAC(random)
	}
	if e.mac.group() {
		return nil, errors.New("the own MAC " + e.mac.String() + " is a group address")
	}
	e.groups.Store(&map[MAC]int{})
	return e, nil
}

func randomMAC(r *mathrand.Rand) MAC {
	v := r.Uint64()
	return MAC{byte(v)&^1 | 2, byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40)}
}

// MAC returns the stack's address.
func (e *Ethernet) MAC() MAC { return e.mac }

// NeighborStats returns a pointer to the counters of the neighbour cache, for stats.Read.
func (e *Ethernet) NeighborStats() any { return &e.neighbors }

// ARPStats returns a pointer to the counters of ARP, for stats.Read.
func (e *Ethernet) ARPStats() any { return &e.arp.stats }

// DiscoveryStats returns a pointer to the counters of neighbor discovery on this link, for stats.Read.
func (e *Ethernet) DiscoveryStats() any { return &e.discovery.stats }

// Input handles a frame that was read from the device, and takes p over.
func (e *Ethernet) Input(now time.Duration, p *Packet) {
	e.count(p)
	f, ok := parseFrame(p.Bytes())
	if !ok {
		drop(p, &e.stats.DropRunt)
		return
	}
	if f.src.group() {
		drop(p, &e.stats.DropSource)
		return
	}
	if p.Cast, ok = e.accepts(f.dst); !ok {
		drop(p, &e.stats.DropDestination)
		return
	}
	p.Truncate(f.end)
	p.TrimFront(f.size)
	switch f.typ {
	case typeIPv4, typeIPv6:
		if etherType(p.Bytes()) != f.typ {
			drop(p, &e.stats.DropVersion)
			return
		}
		e.handler.Input(now, p)
	case typeARP:
		e.arp.input(now, p)
	default:
		drop(p, &e.stats.DropType)
	}
}

// accepts reports whether this stack receives frames to dst, and how such a frame is addressed.
func (e *Ethernet) accepts(dst MAC) (packet.Cast, bool) {
	switch {
	case dst == e.mac:
		return packet.Unicast, true
	case dst == broadcast:
		return packet.Broadcast, true
	case dst.group():
		return packet.Multicast, (*e.groups.Load())[dst] > 0
	}
	return packet.Unicast, false
}

// Output sends p as p.Cast says: to all stations, to the group nextHop, or to the neighbour nextHop, which has no zone. A packet for a
// neighbour whose MAC is not known is held until the neighbour answers. Output takes p over. Errors: EHOSTUNREACH when the neighbour
// did not answer lately (NeighborCache.Failed).
func (e *Ethernet) Output(now time.Duration, p *Packet, nextHop netip.Addr) error {
	switch p.Cast {
	case packet.Broadcast:
		e.send(p, broadcast)
	case packet.Multicast:
		e.send(p, groupMAC(nextHop))
	default:
		if n := e.table.get(nextHop); n != nil {
			if mac, ok := n.ready(); ok {
				e.send(p, mac)
				return nil
			}
		}
		return e.resolve(now, p, nextHop)
	}
	return nil
}

// send sends the datagram p, of either family, to a station.
func (e *Ethernet) send(p *Packet, dst MAC) {
	typ := etherType(p.Bytes())
	putFrame(p.Prepend(headerSize), dst, e.mac, typ)
	e.write(p)
}

// Join makes the link receive a multicast group of either family, until Leave has been called as often as Join (RFC 1112 section
// 6.4, RFC 2464 section 7).
func (e *Ethernet) Join(group netip.Addr) { e.subscribe(group, 1) }

// Leave undoes one Join.
func (e *Ethernet) Leave(group netip.Addr) { e.subscribe(group, -1) }

// subscribe replaces the map, because Input reads it without a lock.
func (e *Ethernet) subscribe(group netip.Addr, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	groups := maps.Clone(*e.groups.Load())
	mac := groupMAC(group)
	if groups[mac] += n; groups[mac] <= 0 {
		delete(groups, mac)
	}
	e.groups.Store(&groups)
}
