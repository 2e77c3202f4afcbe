package ipv4

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ip/membership"
)

func TestIdentificationOfWholeDatagramsIsIgnored(t *testing.T) { // IP-024
	l := newLab(t, config{})
	h := unicast()
	h.DF, h.ID = true, 7
	for range 3 {
		l.recv(dgram(h, pattern(8)))
		require.Len(t, l.up.take(), 1)
	}
	l.recv(part(Header{Datagram: ip.Datagram{Src: h.Src, Dst: h.Dst, Protocol: h.Protocol}, ID: h.ID}, pattern(16), 0, 8))
	l.recv(dgram(h, pattern(8)))
	require.Len(t, l.up.take(), 1, "nor does it meet fragments of the same one")
	for range 2 {
		out, err := l.send(peerAddr, Header{DF: true}, 8)
		require.NoError(t, err)
		require.Zero(t, out[0].h.ID, "any value will do")
	}
}

func TestIdentificationsTellNothingOfOthers(t *testing.T) { // SEC-014: interleaved traffic leaves no pattern in the differences
	l := newLab(t, config{Config: Config{Secret: [16]byte{1, 2, 3}}})
	other := addr("10.0.0.9")
	seen := make(map[uint16]int)
	for range 1000 {
		first, err := l.send(peerAddr, Header{}, 8)
		require.NoError(t, err)
		second, err := l.send(other, Header{}, 8)
		require.NoError(t, err)
		seen[second[0].h.ID-first[0].h.ID]++
	}
	require.Greater(t, len(seen), 900)
}

// The link asks for the source of a datagram whose next hop it resolves (LINK-011).
func TestSourceForTheLink(t *testing.T) {
	l := newLab(t, config{})
	sent, err := l.send(peerAddr, Header{}, 8)
	require.NoError(t, err)
	require.Equal(t, ownAddr, l.eth0.Source(packet.From(sent[0].Data)))
	for _, bad := range [][]byte{nil, {0x50}, sent[0].Data[:19]} {
		require.Equal(t, netip.Addr{}, l.eth0.Source(packet.From(bad)))
	}
}

// filter is a wire that records the groups that it must receive.
type filter struct {
	null
	calls []string
}

func (f *filter) Join(group netip.Addr)  { f.calls = append(f.calls, "join "+group.String()) }
func (f *filter) Leave(group netip.Addr) { f.calls = append(f.calls, "leave "+group.String()) }

func TestLinksLearnTheirGroups(t *testing.T) { // IP-031: all hosts from the start, and the groups with members
	l := newLab(t, config{})
	link := &filter{}
	i, err := l.AddInterface("eth1", link)
	require.NoError(t, err)
	require.NoError(t, i.AddAddress(prefix("10.1.0.2/24")))
	first, err := i.Join(addr("239.1.2.3"), membership.All)
	require.NoError(t, err)
	second, err := i.Join(addr("239.1.2.3"), membership.All)
	require.NoError(t, err)
	first.Leave()
	require.Equal(t, []string{"join 224.0.0.1", "join 239.1.2.3"}, link.calls)
	second.Leave()
	require.Equal(t, []string{"join 224.0.0.1", "join 239.1.2.3", "leave 239.1.2.3"}, link.calls)
}
