package server

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// clientOf is the key of a client: its identifier, else its hardware address (RFC 2131 section 4.2).
func clientOf(m *dhcpv4.DHCPv4) string {
	if id := m.Options.Get(dhcpv4.OptionClientIdentifier); len(id) > 0 {
		return "i" + string(id)
	}
	return string(append([]byte{'h', byte(m.HWType)}, m.ClientHWAddr...))
}

// requested is the address that a client asks for; the zero Addr: none.
func requested(m *dhcpv4.DHCPv4) netip.Addr { return field(m.RequestedIPAddress()) }

// grant makes an OFFER or ACK of an address.
func (s *Server) grant(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType, addr netip.Addr) *dhcpv4.DHCPv4 {
	r := s.reply(m, typ)
	r.YourIPAddr = addr.AsSlice()
	r.UpdateOption(dhcpv4.OptIPAddressLeaseTime(s.cfg.Lease))
	return r
}

// reply makes an answer with the settings of the network.
func (s *Server) reply(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := s.base(m, typ)
	r.ClientIPAddr = m.ClientIPAddr
	r.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(s.cfg.Addr.Bits(), 32)))
	if len(s.cfg.Routers) > 0 {
		r.UpdateOption(dhcpv4.OptRouter(ips(s.cfg.Routers)...))
	}
	if len(s.cfg.DNS) > 0 {
		r.UpdateOption(dhcpv4.OptDNS(ips(s.cfg.DNS)...))
	}
	if s.cfg.Domain != "" {
		r.UpdateOption(dhcpv4.OptDomainName(s.cfg.Domain))
	}
	if s.cfg.MTU > 0 {
		r.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, binary.BigEndian.AppendUint16(nil, uint16(s.cfg.MTU))))
	}
	return r
}

// base makes an answer with what every answer has (RFC 2131 table 3, RFC 6842 section 3).
func (s *Server) base(m *dhcpv4.DHCPv4, typ dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	r := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: m.HWType, TransactionID: m.TransactionID, Flags: m.Flags,
		GatewayIPAddr: m.GatewayIPAddr, ClientHWAddr: m.ClientHWAddr,
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
		if b := m.Options.Get(code); b != nil {
			r.UpdateOption(dhcpv4.OptGeneric(code, b))
		}
	}
	r.UpdateOption(dhcpv4.OptMessageType(typ))
	r.UpdateOption(dhcpv4.OptServerIdentifier(s.cfg.Addr.Addr().AsSlice()))
	return r
}

func ips(list []netip.Addr) (ips []net.IP) {
	for _, a := range list {
		ips = append(ips, a.AsSlice())
	}
	return ips
}
