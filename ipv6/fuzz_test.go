package ipv6

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
)

// FuzzHeaders receives bytes behind a header for this stack: in every case the datagram is delivered, kept as a fragment or
// dropped for one reason, and a report points into it.
func FuzzHeaders(f *testing.F) {
	for _, chain := range [][]ext{
		nil, {hopByHop(5, 2, 0, 0)}, {destination(0x9e, 0)}, {routingHeader(0, 1), destination()},
		{fragmentExt(1, 0, true), destination()}, {fragmentExt(1, 0, false), hopByHop()},
	} {
		b := dgram(unicast(), pattern(16), chain...)
		f.Add(b[nextHeaderField], b[HeaderLen:])
	}
	l := newLab(&testing.T{}, config{})
	f.Fuzz(func(t *testing.T, next uint8, rest []byte) {
		l.t = t
		h := unicast()
		h.Protocol = next
		before := l.outcomes()
		l.recv(dgram(h, rest[:min(len(rest), 3000)]))
		require.Equal(t, before+1, l.outcomes())
		for _, in := range l.up.take() {
			require.False(t, isExtension(in.h.Protocol))
			require.Equal(t, in.h.TotalLen-in.h.HeaderLen, len(in.payload))
		}
		about := slices.Clone(l.up.about)
		for i, e := range l.up.takeReports() {
			require.Less(t, e.Pointer, len(about[i])+1)
		}
	})
}

// outcomes counts the datagrams delivered, taken for reassembly or dropped before.
func (l *lab) outcomes() (n uint64) {
	for _, v := range stats.Read(&l.v6.stats) {
		if v.Name == "ipv6.in.delivers" || len(v.Name) > 9 && v.Name[:9] == "ipv6.drop" {
			n += v.Value
		}
	}
	return n + l.count("ip.reassembly.fragments") - l.count("ip.reassembly.ok")
}

// FuzzReassembly sends a datagram in fragments chosen by the input: the transport gets the whole datagram, or nothing.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte{0, 10, 10, 20, 20, 32})
	f.Add([]byte{20, 32, 0, 10, 0, 10, 10, 20})
	f.Add([]byte{0, 12, 8, 32, 12, 20})
	f.Fuzz(func(t *testing.T, cuts []byte) {
		l := newLab(t, config{})
		payload := pattern(256)
		for i := 0; i+1 < len(cuts) && i < 64; i += 2 {
			from, to := int(cuts[i]%32)*8, int(cuts[i+1]%33)*8
			if from < to {
				l.recv(part(unicast(), 1, payload, from, to))
			}
		}
		for _, in := range l.up.take() {
			require.Equal(t, payload, in.payload)
		}
		require.Empty(t, l.up.takeReports())
		l.advance(time.Minute)
		require.Zero(t, l.FragmentMemory())
	})
}
