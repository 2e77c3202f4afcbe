package dgram

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/timer"
	"tunstack/internal/wiretest"
	"tunstack/ip"
	"tunstack/ipv6"
)

// BenchmarkJoin measures 1,024 joins, the most of a socket, on an interface with as many groups of each of n other sockets.
func BenchmarkJoin(b *testing.B) {
	for name, others := range map[string]int{"alone": 0, "20,480 groups": 20} {
		b.Run(name, func(b *testing.B) {
			s := ip.New(ip.Config{Timers: new(timer.Queue)})
			ipv6.New(s, ipv6.Config{})
			i, err := s.AddInterface("eth0", wiretest.New(1500, packet.Features{}))
			require.NoError(b, err)
			join := func(g *Groups, socket int) {
				for n := range maxGroups6 {
					group := [16]byte{0: 0xff, 1: 5, 10: byte(socket)}
					binary.BigEndian.PutUint16(group[11:], uint16(n))
					if err := g.Join(netip.AddrFrom16(group), i); err != nil {
						b.Fatal(err)
					}
				}
			}
			for socket := range others {
				join(new(Groups), socket)
			}
			for b.Loop() {
				g := new(Groups)
				join(g, others)
				g.Close()
			}
		})
	}
}
