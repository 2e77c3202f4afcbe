package link

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// ACD holds the times and counts of address conflict detection, by the names of RFC 5227 section 1.1 and, for duplicate address detection in
// IPv6, of RFC 4862 section 5.1. A zero field means the RFC's constant, a negative one zero: with ProbeNum -1 addresses of both families
// are used at once.
type ACD struct {
	ProbeWait         time.Duration // upper bound of the random wait before the first probe: 1 s
	ProbeNum          int           // probes: 3
	ProbeMin          time.Duration // lower bound of the random time between probes: 1 s
	ProbeMax          time.Duration // upper bound of that time: 2 s
	AnnounceWait      time.Duration // from the last probe until the address may be used: 2 s; IPv6: after each probe, RetransTimer
	AnnounceNum       int           // announcements: 2
	AnnounceInterval  time.Duration // between them: 2 s
	MaxConflicts      int           // conflicts after which claims are limited to one per RateLimitInterval: 10
	RateLimitInterval time.Duration // 60 s
	DefendInterval    time.Duration // between announcements that defend an address, at least: 10 s
	Defence           Defence       // IPv6 has none: Keep

	DupAddrDetectTransmits int // probes in IPv6: 1
}

// Defence selects the reaction to another host that uses an owned address (RFC 5227 section 2.4).
type Defence uint8

const (
	Keep  Defence = iota // never give up; announce at most once per DefendInterval (c)
	Once                 // announce, and give up at a second conflict within DefendInterval (b)
	Yield                // give up at once (a)
)

func (a ACD) defaults() ACD {
	return ACD{
		ProbeWait:         orDefault(a.ProbeWait, time.Second),
		ProbeNum:          orDefault(a.ProbeNum, 3),
		ProbeMin:          orDefault(a.ProbeMin, time.Second),
		ProbeMax:          orDefault(a.ProbeMax, 2*time.Second),
		AnnounceWait:      orDefault(a.AnnounceWait, 2*time.Second),
		AnnounceNum:       orDefault(a.AnnounceNum, 2),
		AnnounceInterval:  orDefault(a.AnnounceInterval, 2*time.Second),
		MaxConflicts:      orDefault(a.MaxConflicts, 10),
		RateLimitInterval: orDefault(a.RateLimitInterval, time.Minute),
		DefendInterval:    orDefault(a.DefendInterval, 10*time.Second),
		Defence:           a.Defence,
	}
}

// dad returns the same for duplicate address detection in IPv6 (RFC 4862 sections 5.1 and 5.4): a probe waits RetransTimer for its answer, and
// there is one announcement.
func (a ACD) dad(retrans time.Duration) ACD {
	d := a.defaults()
	d.AnnounceNum = min(d.AnnounceNum, 1)
	if a.ProbeNum >= 0 {
		d.ProbeNum = orDefault(a.DupAddrDetectTransmits, 1)
	}
	d.AnnounceWait = orDefault(a.AnnounceWait, retrans)
	d.ProbeMin, d.ProbeMax, d.Defence = d.AnnounceWait, d.AnnounceWait, Keep
	return d
}

// Conflict reports that another host uses an address of the stack. errors.Is takes it for syscall.EADDRINUSE.
type Conflict struct {
	Addr netip.Addr
	MAC  MAC  // of the other host; zero: its message did not tell
	Lost bool // the address is given up; false: it was defended
}

// Error names the address and the other host.
func (c *Conflict) Error() string {
	if c.MAC == (MAC{}) {
		return fmt.Sprintf("%s is in use by another host", c.Addr)
	}
	return fmt.Sprintf("%s is in use by %s", c.Addr, c.MAC)
}

// Unwrap returns syscall.EADDRINUSE.
func (c *Conflict) Unwrap() error { return syscall.EADDRINUSE }
