package dhcp4

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
)

var (
	mac    = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	server = netip.MustParseAddr("10.0.0.1")
	own    = netip.MustParsePrefix("10.0.0.7/24")
	id     = []byte{255, 1, 2, 3, 4, 0, 4}
)

// lab is a Client in virtual time with a log of what it does.
type lab struct {
	t    *testing.T
	c    *Client
	now  time.Duration
	log  []string
	last *dhcpv4.DHCPv4 // sent
	at   []time.Duration
}

func newLab(t *testing.T, cfg Config) *lab {
	l := &lab{t: t}
	cfg.MAC, cfg.ID, cfg.Rand = mac, id, rand.New(rand.NewPCG(1, 2))
	if cfg.Patience == 0 {
		cfg.Patience = Forever / 2
	}
	if cfg.Delay == 0 {
		cfg.Delay = -1
	}
	l.c = New(cfg, l)
	l.c.Start(0)
	return l
}

// Send implements Host.
func (l *lab) Send(m *dhcpv4.DHCPv4, from, to netip.Addr) {
	b := m.ToBytes()
	parsed, err := Parse(b)
	require.NoError(l.t, err)
	l.last = parsed
	text := m.MessageType().String()
	for _, f := range []struct {
		name string
		code dhcpv4.OptionCode
	}{{"request", dhcpv4.OptionRequestedIPAddress}, {"server", dhcpv4.OptionServerIdentifier}} {
		if a := address(m.Options.Get(f.code)); a.IsValid() {
			text += fmt.Sprintf(" %s %s", f.name, a)
		}
	}
	if len(m.ClientIPAddr) > 0 {
		text += " ciaddr " + m.ClientIPAddr.String()
	}
	if m.IsBroadcast() {
		text += " B"
	}
	if !from.IsValid() {
		from = netip.IPv4Unspecified()
	}
	l.log = append(l.log, fmt.Sprintf("%s > %s: %s", from, to, text))
	l.at = append(l.at, l.now)
}

// Claim implements Host.
func (l *lab) Claim(a netip.Prefix) { l.log = append(l.log, "claim "+a.String()) }

// Bound implements Host.
func (l *lab) Bound(lease *Lease) { l.log = append(l.log, "bound "+lease.Addr.String()) }

// Lost implements Host.
func (l *lab) Lost(lease *Lease, why Reason) {
	l.log = append(l.log, fmt.Sprintf("lost %s: %s", lease.Addr, why))
}

// Silent implements Host.
func (l *lab) Silent() { l.log = append(l.log, "silent") }

// run lets time pass.
func (l *lab) run(d time.Duration) {
	end := l.now + d
	for l.c.Next() <= end {
		l.now = max(l.now, l.c.Next())
		l.c.Expire(l.now)
	}
	l.now = end
}

// does requires what the client has done since the last call.
func (l *lab) does(want ...string) {
	l.t.Helper()
	require.Equal(l.t, want, slices.Clone(l.log))
	l.log = nil
}

// reply makes an answer to the last message, of a server that gives own for an hour.
func (l *lab) reply(typ dhcpv4.MessageType, change ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: l.last.HWType, TransactionID: l.last.TransactionID, ClientHWAddr: l.last.ClientHWAddr,
	}
	m.UpdateOption(dhcpv4.OptMessageType(typ))
	m.UpdateOption(dhcpv4.OptServerIdentifier(server.AsSlice()))
	if typ != dhcpv4.MessageTypeNak {
		m.YourIPAddr = own.Addr().AsSlice()
		m.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(own.Bits(), 32)))
		m.UpdateOption(dhcpv4.OptIPAddressLeaseTime(time.Hour))
	}
	for _, f := range change {
		f(m)
	}
	return m
}

// hears gives the client an answer.
func (l *lab) hears(typ dhcpv4.MessageType, change ...dhcpv4.Modifier) {
	l.c.Input(l.now, l.reply(typ, change...).ToBytes())
}

// bind leads the client to BOUND, with an ACK that is changed.
func (l *lab) bind(change ...dhcpv4.Modifier) *lab {
	l.t.Helper()
	l.run(0)
	l.hears(dhcpv4.MessageTypeOffer)
	l.hears(dhcpv4.MessageTypeAck, change...)
	l.c.Claimed(l.now, nil)
	require.Equal(l.t, Bound, l.c.State(), l.log)
	l.log, l.at = nil, nil
	return l
}

// count is the value of a counter.
func (l *lab) count(name string) uint64 { return stats.Count(name, l.c.Stats()) }
