package ipv6

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func hopByHop(options ...byte) ext    { return ext{NextHopByHop, padded(options...)} }
func destination(options ...byte) ext { return ext{NextDestination, padded(options...)} }

// routingHeader is one of a type with segments left.
func routingHeader(typ, left byte) ext { return ext{NextRouting, []byte{typ, left, 0, 0, 0, 0}} }

func TestExtensionHeadersInAnyOrder(t *testing.T) { // IP6-005: any number of times
	l := newLab(t, config{})
	for _, chain := range [][]ext{
		{hopByHop()},
		{destination(), destination()},
		{hopByHop(), destination(), routingHeader(0, 0), destination()},
		{fragmentExt(1, 0, false), routingHeader(3, 0), destination()},
	} {
		l.recv(dgram(unicast(), pattern(20), chain...))
		in := l.up.take()
		require.Len(t, in, 1)
		require.Equal(t, pattern(20), in[0].payload)
		require.Equal(t, HeaderLen+8*len(chain), in[0].h.HeaderLen)
		require.Equal(t, uint8(testProtocol), in[0].h.Protocol)
	}
}

func TestHopByHopIsFirst(t *testing.T) { // IP6-005, IP6-006: zero behind any other header is an unknown Next Header
	l := newLab(t, config{})
	why := &l.v6.stats.DropHeaderOrder
	l.reported(dgram(unicast(), pattern(8), destination(), hopByHop()), why, unknown(40))
	l.reported(dgram(unicast(), pattern(8), hopByHop(), hopByHop()), why, unknown(40))
	l.reported(dgram(unicast(), pattern(8), hopByHop(), destination(), hopByHop()), why, unknown(48))
}

func TestUnknownNextHeader(t *testing.T) { // IP6-006
	l := newLab(t, config{})
	h := unicast()
	for _, h.Protocol = range []uint8{253, 1, 51} {
		l.reported(dgram(h, pattern(8)), &l.v6.stats.DropNoProtocol, unknown(6))
		l.reported(dgram(h, pattern(8), destination()), &l.v6.stats.DropNoProtocol, unknown(40))
	}
}

func TestHeadersAreProcessedInOrder(t *testing.T) { // IP6-004: the bad option comes before the fragment header
	l := newLab(t, config{})
	b := dgram(unicast(), pattern(16), destination(0x9e, 0), fragmentExt(1, 0, true))
	l.reported(b, &l.v6.stats.DropUnknownOption, problem(codeUnknownOption, 42))
	require.Zero(t, l.count("ip.reassembly.fragments"))
	l.recv(dgram(unicast(), pattern(16), fragmentExt(1, 0, true), destination(0x9e, 0)))
	require.Equal(t, uint64(1), l.count("ip.reassembly.fragments"), "behind it the option waits for its turn")
	require.Empty(t, l.up.takeReports())
}

func TestUnknownOptions(t *testing.T) { // IP6-007, IP6-008
	l := newLab(t, config{})
	for _, header := range []func(...byte) ext{hopByHop, destination} {
		l.delivered(dgram(unicast(), pattern(8), header(0x1e, 1, 7)), pattern(8))
		l.dropped(dgram(unicast(), pattern(8), header(0x5e, 1, 7)), &l.v6.stats.DropUnknownOption)
		for _, option := range []byte{0x9e, 0xde} {
			b := dgram(unicast(), pattern(8), header(1, 1, 0, option, 1, 7))
			l.reported(b, &l.v6.stats.DropUnknownOption, problem(codeUnknownOption, 45))
		}
		group := between("2001:db8::1", "ff02::1")
		b := dgram(group, pattern(8), header(0x9e, 1, 7))
		l.reported(b, &l.v6.stats.DropUnknownOption, problem(codeUnknownOption, 42))
		l.dropped(dgram(group, pattern(8), header(0xde, 1, 7)), &l.v6.stats.DropUnknownOption)
	}
}

func TestPadding(t *testing.T) { // IP6-009: in any mixture, before a Router Alert
	l := newLab(t, config{})
	for _, options := range [][]byte{
		{0, 0, 0, 0, 0, 0},
		{1, 4, 0, 0, 0, 0},
		{1, 0, 0, 5, 2, 0, 0},
		{0, 1, 1, 0, 0, 5, 2, 0, 0},
	} {
		l.delivered(dgram(unicast(), pattern(8), hopByHop(options...)), pattern(8))
	}
}

func TestLengthsReachingPastTheEnd(t *testing.T) { // IP6-010
	l := newLab(t, config{})
	why := &l.v6.stats.DropExtension
	long := dgram(unicast(), pattern(8), destination())
	long[41] = 2
	l.reported(long, why, problem(codeBadField, 41))
	long[6] = NextRouting
	l.reported(long, why, problem(codeBadField, 41))
	for _, next := range []uint8{NextDestination, NextRouting, NextFragment} {
		h := unicast()
		h.Protocol = next
		l.reported(dgram(h, nil), why, problem(codeBadField, payloadLenField))
	}
	for _, options := range [][]byte{{5, 5, 0, 0, 0, 0}, {1, 5, 0, 0, 0, 0}} {
		l.reported(dgram(unicast(), pattern(8), destination(options...)), &l.v6.stats.DropOption, problem(codeBadField, 43))
	}
	cut := dgram(unicast(), pattern(8), destination(1, 3, 0, 0, 0, 5))
	l.reported(cut, &l.v6.stats.DropOption, problem(codeBadField, 47))
}

func TestBoundsOfHeaders(t *testing.T) { // IP6-011: RFC 9673 section 5.2.1
	l := newLab(t, config{})
	why := &l.v6.stats.DropLimit
	options := func(n int) (b []byte) {
		for range n {
			b = append(b, 5, 2, 0, 0)
		}
		return b
	}
	chain := func(n int) (c []ext) {
		for range n {
			c = append(c, destination())
		}
		return c
	}
	l.delivered(dgram(unicast(), pattern(8), destination(options(maxOptions)...)), pattern(8))
	l.dropped(dgram(unicast(), pattern(8), destination(options(maxOptions+1)...)), why)
	l.delivered(dgram(unicast(), pattern(8), destination(0, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0)), pattern(8))
	l.dropped(dgram(unicast(), pattern(8), destination(0, 0, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0)), why)
	l.dropped(dgram(unicast(), pattern(8), destination(1, 6, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0)), why)
	l.delivered(dgram(unicast(), pattern(8), chain(maxExtensions)...), pattern(8))
	l.dropped(dgram(unicast(), pattern(8), chain(maxExtensions+1)...), why)
	option := append([]byte{0x1e, 248}, make([]byte, 248)...)
	l.delivered(dgram(unicast(), pattern(8), destination(option...), destination(option...)), pattern(8))
	l.dropped(dgram(unicast(), pattern(8), destination(option...), destination(option...), destination(option...)), why)
}

func TestRoutingHeader(t *testing.T) { // IP6-014: of each type, 0 included
	l := newLab(t, config{})
	for _, typ := range []byte{0, 2, 3, 4, 253} {
		l.delivered(dgram(unicast(), pattern(8), routingHeader(typ, 0)), pattern(8))
		l.reported(dgram(unicast(), pattern(8), routingHeader(typ, 1)), &l.v6.stats.DropRouting, problem(codeBadField, 42))
	}
}

func TestNoNextHeader(t *testing.T) { // IP6-015
	l := newLab(t, config{})
	h := unicast()
	h.Protocol = NextNone
	l.dropped(dgram(h, pattern(8)), &l.v6.stats.DropNoNext)
	l.dropped(dgram(h, nil, destination()), &l.v6.stats.DropNoNext)
}

func TestJumbograms(t *testing.T) { // IP6-016
	l := newLab(t, config{})
	b := dgram(unicast(), pattern(8), hopByHop(0xc2, 4, 0, 1, 0, 0))
	l.reported(b, &l.v6.stats.DropUnknownOption, problem(codeUnknownOption, 42))
	b[4], b[5] = 0, 0
	l.reported(b, &l.v6.stats.DropExtension, problem(codeBadField, payloadLenField))
}

func TestTapsSeeExtensionHeaders(t *testing.T) {
	l := newLab(t, config{})
	tap := &tap{}
	defer l.AddTap(testProtocol, tap)()
	b := dgram(unicast(), pattern(8), destination())
	l.delivered(b, pattern(8))
	require.Equal(t, [][]byte{b}, tap.seen)
}
