package ip

import (
	"net/netip"
	"slices"
	"syscall"

	"tunstack/ip/membership"
)

// DefaultSSM returns the groups that are reserved for source-specific multicast: 232.0.0.0/8 and ff3x::/32 of every scope x (RFC 4607
// section 1).
func DefaultSSM() []netip.Prefix {
	list := []netip.Prefix{netip.MustParsePrefix("232.0.0.0/8")}
	for scope := range 16 {
		list = append(list, netip.PrefixFrom(netip.AddrFrom16([16]byte{0xff, byte(0x30 | scope)}), 32))
	}
	return list
}

func (s *Stack) isSSM(group netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.SSM, func(p netip.Prefix) bool { return p.Contains(group) })
}

// checkFilter refuses a membership in a group of source-specific multicast for other sources than listed ones: routers would ignore the
// report (RFC 4604, RFC 3678 section 4).
func (s *Stack) checkFilter(group netip.Addr, f membership.Filter) error {
	if f.Exclude && s.isSSM(group) {
		return syscall.EINVAL
	}
	return nil
}
