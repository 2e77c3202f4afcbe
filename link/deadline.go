package link

import (
	"math"
	"time"

	"tunstack/internal/timer"
)

const never = time.Duration(math.MaxInt64)

// deadline is a timer guarded by its owner's lock. As a timer's call is not waited for when it is stopped or armed anew, the
// owner asks due once it has the lock.
type deadline struct {
	timer timer.Timer
	at    time.Duration
}

func (d *deadline) arm(at time.Duration) {
	d.at = at
	d.timer.Arm(at)
}

func (d *deadline) stop() {
	d.at = never
	d.timer.Stop()
}

// due says whether the deadline has come, and if so, takes it back.
func (d *deadline) due(now time.Duration) bool {
	if d.at > now {
		return false
	}
	d.at = never
	return true
}

// orDefault makes a setting of what the user wrote: zero is the default, negative is none.
func orDefault[T ~int | ~int64](v, standard T) T {
	if v == 0 {
		return standard
	}
	return max(v, 0)
}
