package link

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/link/nd"
)

// SEC-015
func FuzzFrame(f *testing.F) {
	f.Add(append(make([]byte, 12), 8, 0, 0x45))
	f.Add(append(make([]byte, 12), 0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6))
	f.Add(append(make([]byte, 12), 0, 3, 0x42, 0x42, 3, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := parseFrame(b)
		if !ok {
			return
		}
		require.LessOrEqual(t, h.size, h.end)
		require.LessOrEqual(t, h.end, len(b))
		if h.typ < minType { // an 802.3 frame, which the stack never sends
			return
		}
		again := make([]byte, headerSize, len(b))
		putFrame(again, h.dst, h.src, h.typ)
		again = append(again, b[h.size:h.end]...)
		g, ok := parseFrame(again)
		require.True(t, ok)
		require.Equal(t, frame{h.dst, h.src, h.typ, headerSize, len(again)}, g)
	})
}

// SEC-015
func FuzzARP(f *testing.F) {
	request := arpPacket{op: opRequest, sha: hostMAC, spa: hostIP, tpa: myIP}
	b := make([]byte, arpSize)
	request.put(b)
	f.Add(b)
	f.Add(b[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := parseARP(b)
		if !ok {
			return
		}
		again := make([]byte, arpSize)
		a.put(again)
		require.Equal(t, b[:arpSize], again)
	})
}

// FuzzCache runs a script on an Ethernet with a small cache: each step is a length, an action and its data.
// The cache stays bounded, nothing panics, and every entry ends with time (SEC-015, SEC-017).
func FuzzCache(f *testing.F) {
	f.Add([]byte{2, 0, 1, 2, 0, 2, 6, 3, 1, 0, 1, 0, 1, 1, 4, 9})
	f.Add(bytes.Repeat([]byte{6, 3, 1, 0, 7, 0, 2, 2, 0, 7, 1, 4, 200}, 20))
	f.Add([]byte{3, 2, 1, 1, 2, 6, 2, 3, 9, 2, 2, 135, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{20, 5, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6})
	f.Fuzz(func(t *testing.T, script []byte) {
		cfg := claimed
		cfg.Neighbors.Max = 8
		l := newLab(t, cfg)
		l.dev.discard = true
		for len(script) > 1 {
			n := min(int(script[0]), len(script)-1)
			l.act(script[1 : 1+n])
			script = script[1+n:]
			require.LessOrEqual(t, len(l.e.Neighbors(l.now)), 8+4)
			require.LessOrEqual(t, l.timers.Len(), 8+4+2*256+maxDelayed)
			l.in, l.unreach, l.conflicts = nil, nil, nil
		}
		for i := range 256 {
			l.e.Release(addr(byte(i)))
			l.e.Release(addr6(byte(i)))
		}
		l.advance(time.Hour)
		require.Empty(t, l.e.Neighbors(l.now))
		require.Zero(t, l.e.held)
		require.Zero(t, l.timers.Len())
	})
}

// act does one step of FuzzCache.
func (l *lab) act(b []byte) {
	if len(b) < 2 {
		return
	}
	switch b[0] % 9 {
	case 0:
		_ = l.output(addr(b[1]), string(b))
	case 6:
		_ = l.output6(addr6(b[1]), string(b))
	case 7:
		l.e.Claim(l.now, addr6(b[1]), func(time.Duration, error) {})
	case 8:
		l.discover(b[1:])
	case 1:
		l.advance(time.Duration(b[1]) * 100 * time.Millisecond)
	case 2:
		l.e.Claim(l.now, addr(b[1]), func(time.Duration, error) {})
	case 3:
		var d [5]byte
		copy(d[:], b[1:])
		l.hears(binary.BigEndian.Uint16(d[:]), MAC{d[2], 1}, addr(d[3]), addr(d[4]))
	case 4:
		l.e.Release(addr(b[1]))
	case 5:
		l.e.Input(l.now, packet.From(b[1:]))
	}
}

// addr6 is an address of the link.
func addr6(b byte) netip.Addr { return netip.AddrFrom16([16]byte{0xfe, 0x80, 15: b}) }

// discover receives a message of neighbor discovery from an address to a group, unless it is not valid.
func (l *lab) discover(b []byte) {
	l.anycasts = []netip.Addr{addr6(0)}
	body := append([]byte{133 + b[0]%4, 0}, b...)
	body = append(body, make([]byte, -len(body)&7)...)
	m := &nd.Message{Src: addr6(b[0]), Dst: nd.AllNodes, HopLimit: nd.HopLimit, Body: body}
	if b[0]&0x80 != 0 {
		m.Src = no6
	}
	if len(body) >= 24 {
		copy(body[8:], addr6(body[23]).AsSlice())
		m.Dst = nd.SolicitedNode(addr6(body[23]))
	}
	var c nd.Counters
	if m.Valid(&c) {
		l.e.Discover(l.now, m)
	}
}
