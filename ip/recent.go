package ip

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
)

// recentAge is the time after a datagram during which an error about it is believed.
const recentAge = 10 * time.Second

// recent remembers the datagrams sent lately that no router may fragment, for transports that keep no record themselves: a
// router reports only such a datagram as too big. A slot holds 32 bits of a keyed hash of the datagram and the time in
// milliseconds, and the latest datagram of a slot replaces the one before.
type recent struct {
	seed  maphash.Seed
	slots [1024]atomic.Uint64
}

// sentKey identifies a datagram by the fields that an ICMP error quotes.
type sentKey struct {
	src, dst [16]byte // without zones
	protocol uint8
	start    [8]byte // of the payload
}

func (g *recent) init() { g.seed = maphash.MakeSeed() }

// find returns the datagram's slot and its hash.
func (g *recent) find(src, dst netip.Addr, protocol uint8, start [8]byte) (*atomic.Uint64, uint32) {
	if protocol == ProtocolUDP {
		start[6], start[7] = 0, 0 // the checksum, which the device may fill in
	}
	hash := maphash.Comparable(g.seed, sentKey{src.As16(), dst.As16(), protocol, start})
	return &g.slots[hash%uint64(len(g.slots))], uint32(hash >> 32)
}

// NoteSent remembers a datagram that no router may fragment; p starts at its IP header of headerLen bytes. A family calls it
// for transports other than TCP, which checks an error against its segments in flight.
func (s *Stack) NoteSent(now time.Duration, src, dst netip.Addr, protocol uint8, headerLen int, p *packet.Buffer) {
	var start [8]byte
	spans := p.Spans()
	n := copy(start[:], p.Bytes()[headerLen:])
	n += copy(start[n:], spans[0])
	copy(start[n:], spans[1])
	if p.Offload.Segmentation == packet.SegmentUDP {
		binary.BigEndian.PutUint16(start[4:], 8+p.Offload.Size)
	}
	slot, hash := s.recent.find(src, dst, protocol, start)
	slot.Store(uint64(hash)<<32 | uint64(uint32(now.Milliseconds())))
}

// sentLately reports whether the datagram that the error quotes was noted lately.
func (s *Stack) sentLately(now time.Duration, q *Datagram, quoted []byte) bool {
	slot, hash := s.recent.find(q.Src, q.Dst, q.Protocol, [8]byte(quoted))
	v := slot.Load()
	age := uint32(now.Milliseconds()) - uint32(v)
	return v != 0 && uint32(v>>32) == hash && age <= uint32(recentAge.Milliseconds())
}
