package tun

import (
	"runtime"
	"syscall"
	"time"
)

// spinner polls for packets for a short time before the reader of a queue sleeps: a wake-up takes longer than an active peer takes to send its next
// packet. After a spin without a packet, the next waits do not spin: 1, 3, 7 and so on up to 255 of them.
type spinner struct {
	on   bool
	rest uint8 // waits left that do not spin
	vain uint8 // how many waits did not spin after the last spin without a packet
}

// spinTime is about the time that it takes to sleep and to be woken.
const spinTime = 50 * time.Microsecond

// newSpinner returns the spinner for one of a number of readers. Each spinning reader occupies a processor, and one processor must be left for
// the peers. A single reader spins even on a single processor, because spin yields to the peers.
func newSpinner(readers int) spinner { return spinner{on: readers == 1 || readers < runtime.NumCPU()} }

// spin calls found until it returns true or the time is over. Between the calls it yields to other goroutines, and to other programs on this processor.
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
