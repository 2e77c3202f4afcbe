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
	"tunstack/internal/timer"
	"tunstack/tun"
)

// Config of an Ethernet; zero values mean the documented defaults.
type Config struct {
	Device tun.Device
	Timers *timer.Queue
	Rand   io.Reader // a cryptographic source, read at the start; nil: crypto/rand
	MAC    MAC       // the own address; zero: a random one, locally administered
	ARP    ARP
	ACD    ACD

	// Conflict, unless nil, is told when an address that was claimed is used by another host too. It is called at
	// most once per DefendInterval and address, and must not block.
	Conflict func(now time.Duration, c *Conflict)
}

// Ethernet is the link of a TAP device: Ethernet frames (RFC 894, and RFC 1042 on receive), with ARP to find the
// neighbours (RFC 826) and to keep the own addresses unique (RFC 5227).
//
// It answers for the addresses that Claim has made its own, and for no others. Output can fail with EHOSTUNREACH.
type Ethernet struct {
	wire
	arp    arpCounters
	cfg    Config
	mac    MAC
	groups atomic.Pointer[map[MAC]int] // multicast addresses received, and how often each was joined

	mu         sync.Mutex // guards everything below; reading the table needs no lock
	table      *table
	ranking    ranking
	held       hold
	claims     map[netip.Addr]*claim
	conflicts  int           // failed claims since the last success
	lastClaim  time.Duration // when probing for the latest claim started
	randomness *mathrand.Rand
}

// NewEthernet returns the link of a device of kind TAP. It fails if the own MAC is a group address or Rand cannot be read.
func NewEthernet(cfg Config) (*Ethernet, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	random := mathrand.New(mathrand.NewChaCha8(seed))
	cfg.ARP, cfg.ACD = cfg.ARP.defaults(), cfg.ACD.defaults()
	e := &Ethernet{
		cfg: cfg, mac: cfg.MAC, randomness: random,
		table: newTable(random.Uint32()), claims: map[netip.Addr]*claim{},
	}
	e.init(cfg.Device)
	if e.mac == (MAC{}) {
		e.mac = randomMAC(random)
	}
	if e.mac.group() {
		return nil, errors.New("the own MAC " + e.mac.String() + " is a group address")
	}
	e.groups.Store(&map[MAC]int{})
	e.Join(allHosts)
	return e, nil
}

// allHosts is the group that every host belongs to for ever (RFC 1112 section 4).
var allHosts = netip.AddrFrom4([4]byte{224, 0, 0, 1})

func randomMAC(r *mathrand.Rand) MAC {
	v := r.Uint64()
	return MAC{byte(v)&^1 | 2, byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40)}
}

// MAC is the own address.
func (e *Ethernet) MAC() MAC { return e.mac }

// ARPStats is a pointer to the counters of ARP, for stats.Read.
func (e *Ethernet) ARPStats() any { return &e.arp }

// Input takes a frame that was read from the device, and takes p over.
func (e *Ethernet) Input(now time.Duration, p *packet.Buffer) {
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
	case typeIPv4:
		e.up(now, p)
	case typeARP:
		e.arpInput(now, p)
	default:
		drop(p, &e.stats.DropType)
	}
}

// accepts says whether frames to dst are for this host, and as what.
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

// Output sends p as p.Cast says: to all, to the group nextHop, or to the neighbour nextHop, which ARP finds first if
// need be. It takes p over. EHOSTUNREACH: the neighbour did not answer a moment ago.
func (e *Ethernet) Output(now time.Duration, p *packet.Buffer, nextHop netip.Addr) error {
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

// send sends the datagram p to a station.
func (e *Ethernet) send(p *packet.Buffer, dst MAC) {
	putFrame(p.Prepend(headerSize), dst, e.mac, typeIPv4)
	e.write(p)
}

// Join makes the link receive a multicast group (RFC 1112 section 6.4), until Leave has been called as often as Join.
func (e *Ethernet) Join(group netip.Addr) { e.subscribe(group, 1) }

// Leave undoes one Join.
func (e *Ethernet) Leave(group netip.Addr) { e.subscribe(group, -1) }

// subscribe replaces the map, which Input reads without a lock.
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
