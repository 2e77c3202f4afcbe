package link

import (
	"math"
	"time"

	"tunstack/internal/timer"
)

const never = time.Duration(math.MaxInt64)

// deadline is a timer guarded by its owner's lock. Stopping or arming a timer does not wait for a call of Expire that has begun, so
// that the owner's Expire calls due once it has the lock.
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

// due reports whether the deadline has passed, and if so, disarms it.
func (d *deadline) due(now time.Duration) bool {
	if d.at > now {
		return false
	}
	d.at = never
	return true
}

// orDefault returns the value of a setting: the standard one for zero, zero for a negative one.
func orDefault[T ~int | ~int64](v, standard T) T {
	if v == 0 {
		return standard
	}
	return max(v, 0)
}
