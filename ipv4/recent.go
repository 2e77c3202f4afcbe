package ipv4

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"tunstack/internal/packet"
)

// recentAge is how long after a datagram an error about it is believed.
const recentAge = 10 * time.Second

// recent remembers which datagrams with DF left lately, for transports that keep no record themselves: only about such a one
// a router has reason to say Fragmentation Needed. A slot holds 32 bits of a keyed hash of the datagram and the time in
// milliseconds, and the latest datagram of a slot replaces the one before.
type recent struct {
	key   [2]uint64
	slots [1024]atomic.Uint64
}

func (g *recent) init(secret [16]byte) {
	g.key = [2]uint64{binary.LittleEndian.Uint64(secret[8:]), binary.LittleEndian.Uint64(secret[:])}
}

// find returns the datagram's slot and its hash. start is the first 8 bytes of the payload.
func (g *recent) find(h *Header, start [8]byte) (*atomic.Uint64, uint32) {
	if h.Protocol == ProtocolUDP {
		start[6], start[7] = 0, 0 // the checksum, which the device may fill in
	}
	src, dst := h.Src.As4(), h.Dst.As4()
	addresses := uint64(binary.BigEndian.Uint32(src[:]))<<32 | uint64(binary.BigEndian.Uint32(dst[:]))
	key := [2]uint64{g.key[0] ^ uint64(h.Protocol), g.key[1]}
	hash := sipHash(key, addresses, binary.BigEndian.Uint64(start[:]))
	return &g.slots[hash%uint64(len(g.slots))], uint32(hash >> 32)
}

// note remembers the datagram p with header h.
func (g *recent) note(now time.Duration, h *Header, p *packet.Buffer) {
	var start [8]byte
	payload := payloadOf(p, h.Len())
	payload.fill(start[:])
	if p.Offload.Segmentation == packet.SegmentUDP {
		binary.BigEndian.PutUint16(start[4:], 8+p.Offload.Size)
	}
	slot, hash := g.find(h, start)
	slot.Store(uint64(hash)<<32 | uint64(uint32(now.Milliseconds())))
}

// has reports whether a datagram with header h whose payload starts with these 8 bytes was sent lately.
func (g *recent) has(now time.Duration, h *Header, start []byte) bool {
	slot, hash := g.find(h, [8]byte(start))
	v := slot.Load()
	age := uint32(now.Milliseconds()) - uint32(v)
	return v != 0 && uint32(v>>32) == hash && age <= uint32(recentAge.Milliseconds())
}
