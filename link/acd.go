package link

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// ACD is the timing of address conflict detection, by the names of RFC 5227 section 1.1. Zero fields are the RFC's
// constants; a negative one means none: ProbeNum -1 claims addresses at once.
type ACD struct {
	ProbeWait         time.Duration // first probe after a random wait up to this: 1 s
	ProbeNum          int           // probes: 3
	ProbeMin          time.Duration // from one probe to the next, at least: 1 s
	ProbeMax          time.Duration // and at most: 2 s
	AnnounceWait      time.Duration // from the last probe to ownership: 2 s
	AnnounceNum       int           // announcements: 2
	AnnounceInterval  time.Duration // between them: 2 s
	MaxConflicts      int           // conflicts before claims are slowed down: 10
	RateLimitInterval time.Duration // from one claim to the next then: 60 s
	DefendInterval    time.Duration // between announcements in defence: 10 s
	Defence           Defence
}

// Defence is what to do when another host uses an address of ours (RFC 5227 section 2.4).
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

// Conflict says that another host uses an address of ours. As an error it is syscall.EADDRINUSE.
type Conflict struct {
	Addr netip.Addr
	MAC  MAC  // of the other host
	Lost bool // the address is no longer ours; else it was defended
}

// Error names the address and the other host.
func (c *Conflict) Error() string { return fmt.Sprintf("%s is in use by %s", c.Addr, c.MAC) }

// Unwrap is syscall.EADDRINUSE.
func (c *Conflict) Unwrap() error { return syscall.EADDRINUSE }
