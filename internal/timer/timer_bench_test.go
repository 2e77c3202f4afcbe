package timer

import (
	"fmt"
	"testing"
	"time"
)

// armed is a queue of n timers that expire a second apart, and one more timer.
func armed(n int) (*Queue, *Timer) {
	q := &Queue{}
	for i := range n + 1 {
		t := &Timer{}
		t.Init(q, Func(func(time.Duration) {}))
		t.Arm(time.Duration(i+1) * time.Second)
		if i == n {
			return q, t
		}
	}
	return nil, nil
}

// A connection's timer is armed again for a later time, the most frequent operation.
func BenchmarkArmLater(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, t := armed(n)
			b.ReportAllocs()
			for b.Loop() {
				t.ArmEarlier(time.Hour * 24)
			}
		})
	}
}

// A timer is stopped and armed again as the first one.
func BenchmarkArmStop(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, t := armed(n)
			b.ReportAllocs()
			for b.Loop() {
				t.Arm(time.Millisecond)
				t.Stop()
			}
		})
	}
}

// A timer expires.
func BenchmarkExpire(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q, t := armed(n)
			b.ReportAllocs()
			for b.Loop() {
				t.Arm(time.Millisecond)
				q.Advance(time.Millisecond)
			}
		})
	}
}
