package ipv6

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

// part is the fragment of a datagram of payload that starts at from and ends before to, behind the chain.
func part(h Header, id byte, payload []byte, from, to int, chain ...ext) []byte {
	return dgram(h, payload[from:to], append(chain[:len(chain):len(chain)], fragmentExt(id, from, to < len(payload)))...)
}

func TestReassembly(t *testing.T) { // IP6-022: by addresses and Identification alone; headers come from the first fragment
	l := newLab(t, config{})
	payload := pattern(3000)
	first := part(unicast(), 1, payload, 0, 1000, destination())
	second := part(unicast(), 1, payload, 1000, 2000, hopByHop(), destination())
	second[56] = 99 // its Next Header
	third := part(unicast(), 1, payload, 2000, 3000)
	for _, order := range [][][]byte{{first, second, third}, {third, second, first}, {second, third, first}} {
		for _, b := range order {
			l.recv(b)
		}
		in := l.up.take()
		require.Len(t, in, 1)
		require.Equal(t, payload, in[0].payload)
		require.Equal(t, uint8(testProtocol), in[0].h.Protocol)
		require.Equal(t, HeaderLen+8, in[0].h.HeaderLen, "the first fragment's destination options")
		require.Equal(t, HeaderLen+8+3000, in[0].h.TotalLen)
		require.Equal(t, peerAddr, in[0].h.Src)
	}
	other := unicast()
	other.Src = addr("2001:db8::3")
	l.recv(first)
	l.recv(part(unicast(), 2, payload, 1000, 2000))
	l.recv(part(other, 1, payload, 1000, 2000))
	l.recv(third)
	require.Empty(t, l.up.take())
	require.Empty(t, l.up.takeReports())
}

func TestExtensionHeadersOfTheWhole(t *testing.T) { // behind the Fragment header they are handled once, when the datagram is whole
	l := newLab(t, config{})
	whole := dgram(unicast(), pattern(1000), destination())[HeaderLen:]
	h := unicast()
	h.Protocol = NextDestination
	l.recv(part(h, 1, whole, 504, len(whole)))
	l.recv(part(h, 1, whole, 0, 504))
	in := l.up.take()
	require.Len(t, in, 1)
	require.Equal(t, pattern(1000), in[0].payload)

	whole[2] = 0x9e
	l.recv(part(h, 1, whole, 504, len(whole)))
	l.recv(part(h, 1, whole, 0, 504))
	require.Empty(t, l.up.take())
	require.Equal(t, []ip.Error{problem(codeUnknownOption, 42)}, l.up.takeReports())
	require.Equal(t, uint64(1), l.v6.stats.DropUnknownOption.Value())
}

func TestLargestDatagrams(t *testing.T) { // IP6-030: 1500 bytes and 65,535 of payload
	l := newLab(t, config{})
	for _, n := range []int{1460, MaxPayload} {
		payload := pattern(n)
		for at := 0; at < n; at += 1232 {
			l.recv(part(unicast(), 1, payload, at, min(at+1232, n)))
		}
		in := l.up.take()
		require.Len(t, in, 1)
		require.Equal(t, payload, in[0].payload)
	}
}

func TestReassemblyTimeout(t *testing.T) { // IP6-023, IP6-024
	l := newLab(t, config{})
	payload := pattern(2000)
	first, second := part(unicast(), 1, payload, 0, 1000), part(unicast(), 1, payload, 1000, 2000)
	l.recv(first)
	l.advance(59 * time.Second)
	require.Empty(t, l.up.reports)
	l.advance(2 * time.Second)
	require.Equal(t, [][]byte{first}, l.up.about, "as it came")
	require.Equal(t, []ip.Error{{Kind: ip.ReassemblyTimeout}}, l.up.takeReports())
	l.recv(second)
	require.Empty(t, l.up.take(), "the first is gone")
	l.advance(61 * time.Second)
	require.Empty(t, l.up.takeReports(), "nothing to quote")
	l.recv(first)
	l.advance(59 * time.Second)
	l.recv(second)
	require.Len(t, l.up.take(), 1)
}

func TestBadFragments(t *testing.T) { // IP6-025
	l := newLab(t, config{})
	why := &l.v6.stats.DropFragment
	l.reported(dgram(unicast(), pattern(13), fragmentExt(1, 0, true)), why, problem(codeBadField, 4))
	l.reported(dgram(unicast(), pattern(16), fragmentExt(1, 65528, false)), why, problem(codeBadField, 42))
	l.reported(dgram(unicast(), pattern(7), destination(), fragmentExt(1, 65528, false)), why, problem(codeBadField, 50))
	before := l.count("ip.drop.bad_fragment")
	l.recv(dgram(unicast(), nil, fragmentExt(1, 8, true)))
	require.Equal(t, before+1, l.count("ip.drop.bad_fragment"))
}

func TestFirstFragmentHoldsAllHeaders(t *testing.T) { // IP6-026
	l := newLab(t, config{})
	why := &l.v6.stats.DropIncompleteChain
	h := unicast()
	for protocol, least := range map[uint8]int{ip.ProtocolTCP: 24, ip.ProtocolUDP: 8, ip.ProtocolICMPv6: 8, testProtocol: 8} {
		h.Protocol = protocol
		short := least - 8
		l.reported(dgram(h, pattern(short), fragmentExt(1, 0, true)), why, problem(codeIncompleteChain, 0))
		l.recv(dgram(h, pattern(least), fragmentExt(byte(least)+protocol, 0, true)))
		require.Empty(t, l.up.takeReports())
	}
	h.Protocol = NextDestination
	l.reported(dgram(h, []byte{testProtocol, 1, 1, 4, 0, 0, 0, 0}, fragmentExt(2, 0, true)), why, problem(codeIncompleteChain, 0))
	l.reported(dgram(h, []byte{testProtocol, 0, 1, 4, 0, 0, 0, 0}, fragmentExt(2, 0, true)), why, problem(codeIncompleteChain, 0))
}

func TestOverlap(t *testing.T) { // IP6-027: the whole datagram is dropped, without a word
	l := newLab(t, config{})
	payload := pattern(2000)
	l.recv(part(unicast(), 1, payload, 0, 1000))
	l.recv(part(unicast(), 1, payload, 992, 1992))
	require.Equal(t, uint64(1), l.count("ip.drop.overlap"))
	l.recv(part(unicast(), 1, payload, 1000, 2000))
	l.advance(2 * time.Minute)
	require.Empty(t, l.up.take())
	require.Empty(t, l.up.takeReports())
}

func TestDuplicateFragments(t *testing.T) { // IP6-028
	l := newLab(t, config{})
	payload := pattern(2000)
	for _, at := range []int{0, 1000} {
		l.recv(part(unicast(), 1, payload, at, at+1000))
		if at == 0 {
			l.recv(part(unicast(), 1, payload, at, at+1000))
		}
	}
	in := l.up.take()
	require.Len(t, in, 1)
	require.Equal(t, payload, in[0].payload)
	require.Equal(t, uint64(1), l.count("ip.reassembly.duplicates"))
}

func TestAtomicFragment(t *testing.T) { // IP6-029
	l := newLab(t, config{})
	payload := pattern(2000)
	l.recv(part(unicast(), 1, payload, 0, 1000))
	l.delivered(dgram(unicast(), pattern(50), fragmentExt(1, 0, false)), pattern(50))
	l.delivered(part(unicast(), 1, payload, 1000, 2000), payload)
}

func TestMarkedFragments(t *testing.T) { // RFC 3168 section 5.3: congestion that one fragment met is the datagram's
	l := newLab(t, config{})
	payload := pattern(2000)
	h := unicast()
	h.TOS = 0xb9
	l.recv(part(h, 1, payload, 0, 1000))
	h.TOS = 0xbb
	l.recv(part(h, 1, payload, 1000, 2000))
	in := l.up.take()
	require.Len(t, in, 1)
	require.Equal(t, uint8(0xbb), in[0].h.TOS)
}

func TestLongHeadersOfFragments(t *testing.T) { // what does not fit the reassembly's memory is dropped
	l := newLab(t, config{})
	option := append([]byte{0x1e, 120}, make([]byte, 120)...)
	l.dropped(part(unicast(), 1, pattern(2000), 0, 1000, destination(option...)), &l.v6.stats.DropLimit)
}
