package autoconf

import (
	"strings"
	"time"

	"tunstack/ip"
	"tunstack/link/nd"
)

// setServers adds, renews or removes recursive DNS servers (RFC 8106 section 5.1).
func (h *Host) setServers(now time.Duration, s nd.RDNSS) {
	for _, a := range s.Servers {
		if ip.FormOf(a) != ip.FormHost {
			h.stats.IgnoredServer.Inc()
			return
		}
	}
	for _, a := range s.Servers {
		setLease(h, &h.servers, now, h.iface.Scoped(a), s.Lifetime)
	}
}

// setDomains adds, renews or removes domains of the search list (RFC 8106 section 5.2).
func (h *Host) setDomains(now time.Duration, s nd.DNSSL) {
	for _, d := range s.Domains {
		setLease(h, &h.domains, now, strings.ToLower(d), s.Lifetime)
	}
}

// setLease adds, renews or, with lifetime 0, removes a lease.
func setLease[K comparable](h *Host, l *leases[K, struct{}], now time.Duration, key K, lifetime time.Duration) {
	if lifetime == 0 {
		l.remove(key)
	} else if !l.set(key, struct{}{}, after(now, lifetime)) {
		h.stats.DropTableFull.Inc()
	}
}
