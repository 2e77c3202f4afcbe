package trace

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Match selects connections.
type Match func(local, remote netip.AddrPort) bool

// ParseMatch returns the Match for connections with the end that text names: "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1", "fd00::1" or
// ":80". An empty text matches all. Zones of addresses do not count.
func ParseMatch(text string) (Match, error) {
	end, err := parseEnd(text)
	if err != nil {
		return nil, fmt.Errorf("invalid endpoint %q: it must be ADDR:PORT, ADDR or :PORT, with an IPv6 address in brackets before a port", text)
	}
	is := func(a netip.AddrPort) bool {
		return (!end.Addr().IsValid() || end.Addr() == bare(a.Addr())) && (end.Port() == 0 || end.Port() == a.Port())
	}
	return func(local, remote netip.AddrPort) bool { return is(local) || is(remote) }, nil
}

// parseEnd parses an end of which the address or the port may be left out.
func parseEnd(text string) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(bare(addr), 0), nil
	}
	i := strings.LastIndexByte(text, ':')
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if i < 0 || err != nil || port == 0 {
		return netip.AddrPort{}, strconv.ErrRange
	}
	if i == 0 {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	end, err := netip.ParseAddrPort(text)
	return netip.AddrPortFrom(bare(end.Addr()), uint16(port)), err
}

// bare returns an address without its zone, an IPv4-mapped one as IPv4.
func bare(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }
