package tun

import (
	"runtime"
	"syscall"
	"time"
)

// spinner looks for packets a little longer before the reader of a queue sleeps: to be woken takes longer than a peer that is at work takes
// to send the next. How often that was in vain decides how often it is tried.
type spinner struct {
	on   bool
	rest uint8 // waits until the next try
	vain uint8 // how many were let pass after the last one in vain
}

// spinTime is about what sleeping and being woken takes.
const spinTime = 50 * time.Microsecond

// newSpinner is for one of so many readers. As long as they spin each has a processor, and one must be left for the peers. One reader
// alone may be bound to a processor, and gives way where peers share it.
func newSpinner(readers int) spinner { return spinner{on: readers == 1 || readers < runtime.NumCPU()} }

// spin calls found until that is true or the time is over. Others run meanwhile, goroutines and the programs on this processor.
func (s *spinner) spin(found func() bool) bool {
	switch {
	case !s.on:
		return false
	case s.rest > 0:
		s.rest--
		return false
	}
	for began := time.Now(); time.Since(began) < spinTime; {
		runtime.Gosched()
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		if found() {
			s.vain = 0
			return true
		}
	}
	s.vain = 2*s.vain + 1 // 1, 3, 7 ... 255
	s.rest = s.vain
	return false
}
