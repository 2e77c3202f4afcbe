package ip

import (
	"slices"
	"time"

	"tunstack/internal/timer"
)

// lifetimes deprecates and removes addresses when their time has come.
type lifetimes struct {
	stack *Stack
	timer timer.Timer
}

func (l *lifetimes) init(s *Stack) {
	l.stack = s
	l.timer.Init(s.cfg.Timers, l)
}

// watch arms the timer for the next change of an address.
func (l *lifetimes) watch(a *address) {
	if at := a.nextChange(); at != Forever {
		l.timer.ArmEarlier(at)
	}
}

// nextChange is when the address changes its state; Forever: never.
func (a *address) nextChange() time.Duration {
	if a.deprecated {
		return a.valid
	}
	return a.preferred
}

// Expire changes the states of the addresses that are due.
func (l *lifetimes) Expire(now time.Duration) {
	var ended []address
	_ = l.stack.changeTable(func(t *table) error {
		for _, list := range [][]address{t.addresses, t.tentative} {
			for at := range list {
				a := &list[at]
				a.deprecated = a.preferred <= now
				if a.valid <= now {
					ended = append(ended, *a)
				}
			}
		}
		return nil
	})
	for _, a := range ended {
		_ = a.owner.RemoveAddress(a.prefix.Addr()) // EADDRNOTAVAIL if somebody else has removed it meanwhile
	}
	t := l.stack.table.Load()
	for _, a := range slices.Concat(t.addresses, t.tentative) {
		l.watch(&a)
	}
}
