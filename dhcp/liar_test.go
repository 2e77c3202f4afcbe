package dhcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
	"tunstack/link"
)

// liar is a server that answers every message with lies, and counts the messages.
type liar struct {
	conn  net.PacketConn
	heard map[dhcpv4.MessageType]int
	done  chan bool
}

func newLiar(t *testing.T, l *lab) *liar {
	p, err := l.peer.ListenPacket("udp4", ":67")
	require.NoError(t, err)
	s := &liar{conn: p, heard: map[dhcpv4.MessageType]int{}, done: make(chan bool)}
	go s.serve()
	return s
}

func (s *liar) serve() {
	defer close(s.done)
	b := make([]byte, 1500)
	for {
		n, _, err := s.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := dhcpv4.FromBytes(b[:n])
		if err != nil {
			return
		}
		s.heard[m.MessageType()]++
		typ := dhcpv4.MessageTypeOffer
		if m.MessageType() == dhcpv4.MessageTypeRequest {
			typ = dhcpv4.MessageTypeAck
		}
		for _, lie := range lies {
			s.say(m, typ, lie)
		}
	}
}

// lies are the changes of an answer; the last one is the lie that a client cannot see: the address of another host.
var lies = []func(r *dhcpv4.DHCPv4){
	func(r *dhcpv4.DHCPv4) { r.TransactionID[3]++ },
	func(r *dhcpv4.DHCPv4) { r.ClientHWAddr = net.HardwareAddr{2, 9, 9, 9, 9, 9} },
	func(r *dhcpv4.DHCPv4) { r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(0)) },
	func(r *dhcpv4.DHCPv4) { r.YourIPAddr = net.IPv4bcast },
	func(r *dhcpv4.DHCPv4) { r.DeleteOption(dhcpv4.OptionServerIdentifier) },
	func(r *dhcpv4.DHCPv4) {
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, make([]byte, 60000)))
	},
	func(*dhcpv4.DHCPv4) {},
}

func (s *liar) say(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType, lie func(*dhcpv4.DHCPv4)) {
	r := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, ClientHWAddr: m.ClientHWAddr, YourIPAddr: serverAddr.Addr().AsSlice(),
	}
	r.UpdateOption(dhcpv4.OptMessageType(typ))
	r.UpdateOption(dhcpv4.OptServerIdentifier(serverAddr.Addr().AsSlice()))
	r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(time.Hour))
	r.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32)))
	lie(r)
	_, _ = s.conn.WriteTo(r.ToBytes(), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("255.255.255.255:68")))
}

// DHCP-003, DHCP-009: of a server that lies nothing is believed but the address of another host, which probing finds; the client asks ever
// less often.
func TestLyingServer(t *testing.T) {
	bubble(t, link.Keep, func(t *testing.T, l *lab) {
		s := newLiar(t, l)
		c := l.start(Config{LinkLocal: true})
		l.passes(20 * time.Minute)
		s.conn.Close()
		<-s.done
		require.NotContains(t, l.addresses(), serverAddr)
		require.Greater(t, s.heard[dhcpv4.MessageTypeDecline], 5)
		require.Less(t, s.heard[dhcpv4.MessageTypeDiscover], 60)
		require.Equal(t, s.heard[dhcpv4.MessageTypeDiscover], s.heard[dhcpv4.MessageTypeRequest])
		for _, reason := range []string{"transaction", "other", "lease", "address", "server", "malformed"} {
			require.Positive(t, stats.Count("dhcp4.drop."+reason, c.Stats()), reason)
		}
	})
}
