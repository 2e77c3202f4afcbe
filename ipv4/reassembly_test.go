package ipv4

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
)

// cut returns the datagram of h and payload in fragments of size bytes.
func cut(h Header, payload []byte, size int) [][]byte {
	var fragments [][]byte
	for at := 0; at < len(payload); at += size {
		end := min(at+size, len(payload))
		fragments = append(fragments, part(h, payload, at, end))
	}
	return fragments
}

// part is the fragment with the bytes from start up to end of payload.
func part(h Header, payload []byte, start, end int) []byte {
	h.Offset, h.MF = uint16(start), end < len(payload)
	return dgram(h, payload[start:end])
}

func TestReassembly(t *testing.T) { // IP-017, IP-018
	l := newLab(t, config{})
	rng := rand.New(rand.NewPCG(1, 2))
	for i, size := range []int{9, 576, 4000, 65515} {
		h := unicast()
		h.ID = uint16(i)
		for _, mtu := range []int{8, 552, 1480} {
			fragments := cut(h, pattern(size), mtu)
			if len(fragments) < 2 || len(fragments) > 200 {
				continue
			}
			if len(fragments) < 64 {
				fragments = append(fragments, fragments...)
				rng.Shuffle(len(fragments), func(i, j int) { fragments[i], fragments[j] = fragments[j], fragments[i] })
				fragments = fragments[:len(fragments)-1]
			} else {
				slices.Reverse(fragments)
			}
			done := 0
			for _, f := range fragments {
				l.recv(f)
				for _, in := range l.up.take() {
					done++
					require.Equal(t, pattern(size), in.payload)
					require.Equal(t, ip.Datagram{TotalLen: 20 + size, HeaderLen: 20, TTL: 64, Protocol: testProtocol, Src: peerAddr, Dst: ownAddr, Options: []byte{}, In: l.eth0}, in.h)
				}
			}
			require.NotZero(t, done, "%d bytes in fragments of %d", size, mtu)
			l.advance(time.Minute) // the duplicates have started another reassembly
		}
	}
	require.Zero(t, l.FragmentMemory())
	require.Zero(t, l.timers.Len())
}

func TestReassembledDatagramIsWhole(t *testing.T) { // a raw socket sees one datagram with a good checksum
	l := newLab(t, config{})
	var seen tap
	defer l.AddTap(testProtocol, &seen)()
	h := unicast()
	h.Options = []byte{148, 4, 0, 0}
	f := cut(h, pattern(32), 16)
	l.recv(f[1])
	l.recv(f[0])
	require.Equal(t, [][]byte{dgram(h, pattern(32))}, seen.datagrams)
}

func TestFragmentsAreMatchedByFourFields(t *testing.T) { // IP-018
	l := newLab(t, config{})
	require.NoError(t, l.eth0.AddAddress(prefix("10.0.0.3/24")))
	f := cut(unicast(), pattern(32), 16)
	l.recv(f[0])
	for _, change := range []func(*Header){
		func(h *Header) { h.Src = addr("10.0.0.9") },
		func(h *Header) { h.Dst = addr("10.0.0.3") },
		func(h *Header) { h.Protocol++ },
		func(h *Header) { h.ID++ },
	} {
		h := unicast()
		change(&h)
		l.recv(cut(h, pattern(32), 16)[1])
		require.Empty(t, l.up.take())
	}
	l.recv(f[1])
	require.Len(t, l.up.take(), 1)
}

func TestCongestionMarkSurvives(t *testing.T) { // RFC 3168 section 5.3
	l := newLab(t, config{})
	h := unicast()
	h.TOS = 2
	f := cut(h, pattern(32), 16)
	h.TOS = 3
	l.recv(f[0])
	l.recv(cut(h, pattern(32), 16)[1])
	require.Equal(t, uint8(3), l.up.take()[0].h.TOS)
}

func TestReassemblyTimeout(t *testing.T) { // IP-019, IP-020
	l := newLab(t, config{})
	h := unicast()
	h.TTL = 1 // the timeout does not depend on it
	f := cut(h, pattern(48), 16)
	l.recv(f[0])
	l.recv(f[1])
	l.advance(30 * time.Second)
	h.ID++
	l.recv(cut(h, pattern(48), 16)[2])
	l.advance(30*time.Second - 1)
	require.Empty(t, l.up.reports)
	l.advance(1)
	require.Equal(t, f[0], l.up.about[0], "the first fragment as it came")
	require.Equal(t, []ip.Error{{Kind: ip.ReassemblyTimeout}}, l.up.takeReports())
	l.recv(f[2])
	require.Empty(t, l.up.take(), "too late")

	l.advance(30 * time.Second)
	require.Empty(t, l.up.takeReports(), "no first fragment, no error")
	l.advance(time.Minute)
	require.Equal(t, uint64(3), l.count("ip.drop.reassembly_timeout"))
	require.Zero(t, l.FragmentMemory())
}

func TestOverlapsDropTheDatagram(t *testing.T) { // SEC-011
	data := pattern(64)
	other := append(slices.Clone(data[:40]), make([]byte, 24)...)
	h := unicast()
	for name, fragments := range map[string][][]byte{
		"teardrop":          {part(h, data, 0, 32), part(h, data, 24, 32), part(h, data, 24, 64)},
		"from the left":     {part(h, data, 16, 32), part(h, data, 0, 24)},
		"from the right":    {part(h, data, 0, 24), part(h, data, 16, 32)},
		"around":            {part(h, data, 16, 24), part(h, data, 0, 32)},
		"other data":        {part(h, data, 40, 64), part(h, other, 40, 64)},
		"two ends":          {part(h, data, 32, 64), part(h, data[:48], 40, 48)},
		"beyond the end":    {part(h, data[:48], 40, 48), part(h, data, 48, 56)},
		"end before others": {part(h, data, 40, 56), part(h, data[:16], 8, 16)},
	} {
		l := newLab(t, config{})
		for _, f := range fragments {
			l.recv(f)
		}
		require.Equal(t, uint64(1), l.count("ip.drop.overlap"), name)
		require.Empty(t, l.up.take(), name)
		require.Zero(t, l.FragmentMemory(), name)
	}
}

func TestImpossibleFragments(t *testing.T) { // SEC-012
	l := newLab(t, config{})
	h := unicast()
	h.MF = true
	l.droppedBy(dgram(h, pattern(7)), "ip.drop.bad_fragment")
	l.droppedBy(dgram(h, nil), "ip.drop.bad_fragment")
	h.MF, h.Offset = false, 65512
	l.droppedBy(dgram(h, pattern(4)), "ip.drop.bad_fragment")

	// Each fragment fits, but the whole does not, because the first one's header is longer.
	h = unicast()
	f := cut(h, pattern(65515), 32752)
	h.Options = []byte{1, 1, 1, 1}
	l.recv(f[2])
	l.recv(f[1])
	l.droppedBy(cut(h, pattern(65515), 32752)[0], "ip.drop.bad_fragment")
	require.Zero(t, l.FragmentMemory())
}

func TestReassemblyAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	l := newLab(t, config{})
	l.Register(testProtocol, sink{})
	fragments := cut(unicast(), pattern(4000), 1480)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, f := range fragments {
			l.eth0.Input(l.now, packet.From(f))
		}
	}))
	require.NotZero(t, l.count("ip.reassembly.ok"))
}

func BenchmarkReassembly64K(b *testing.B) {
	l := newLab(&testing.T{}, config{})
	l.Register(testProtocol, sink{})
	fragments := cut(unicast(), pattern(65515), 1480)
	b.SetBytes(65515)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range fragments {
			l.eth0.Input(l.now, packet.From(f))
		}
	}
}

// naive is a direct implementation of the rules of reassembly, byte by byte.
type naive struct {
	bytes   map[int]byte
	end     int // 0: not known
	highest int
}

// add returns the payload when the datagram is complete. ok is false if the datagram is given up.
func (n *naive) add(start int, data []byte, more bool) (whole []byte, ok bool) {
	end := start + len(data)
	overlap, same := 0, true
	for i, c := range data {
		if have, there := n.bytes[start+i]; there {
			overlap++
			same = same && have == c
		}
	}
	switch {
	case n.end != 0 && (end > n.end || !more && end != n.end), !more && end < n.highest:
		return nil, false
	case overlap == len(data) && same:
		return nil, true
	case overlap > 0:
		return nil, false
	}
	for i, c := range data {
		n.bytes[start+i] = c
	}
	n.highest = max(n.highest, end)
	if !more {
		n.end = end
	}
	if n.end == 0 || len(n.bytes) < n.end {
		return nil, true
	}
	for i := range n.end {
		whole = append(whole, n.bytes[i])
	}
	return whole, true
}

func FuzzReassembly(f *testing.F) { // IP-018, SEC-011, SEC-015
	f.Add([]byte{2, 0x82, 0, 0x83})          // in order
	f.Add([]byte{0x02, 2, 0x83, 0, 0x83})    // out of order
	f.Add([]byte{0, 0x81, 1, 0x81, 2, 0x02}) // overlaps
	f.Fuzz(func(t *testing.T, actions []byte) {
		l := newLab(t, config{})
		model := naive{bytes: make(map[int]byte)}
		for ; len(actions) >= 2; actions = actions[2:] {
			// One fragment: offset in units, length in bytes, more fragments, and other data.
			start, n, more := int(actions[0]&31)*8, int(actions[1]&31)+1, actions[1]&0x80 != 0
			if more {
				n = (n + 7) &^ 7
			}
			data := pattern(start + n)[start:]
			if actions[0]&0x80 != 0 {
				data[0]++
			}
			h := unicast()
			h.Offset, h.MF = uint16(start), more
			if start == 0 && !more {
				continue // not a fragment
			}
			l.recv(dgram(h, data))
			want, ok := model.add(start, data, more)
			if !ok || want != nil {
				model = naive{bytes: make(map[int]byte)}
			}
			if got := l.up.take(); want == nil {
				require.Empty(t, got)
			} else {
				require.Len(t, got, 1)
				require.Equal(t, want, got[0].payload)
			}
		}
		l.advance(time.Minute)
		require.Zero(t, l.FragmentMemory())
		require.Zero(t, l.timers.Len())
	})
}
