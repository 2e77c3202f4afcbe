package timer

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestModel drives a Queue and a plain table of deadlines with the same random calls.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const never = time.Duration(-1)
	var q Queue
	timers, due := make([]Timer, 50), make([]time.Duration, 50)
	var expired []int
	for i := range timers {
		timers[i].Init(&q, Func(func(time.Duration) { expired = append(expired, i) }))
		due[i] = never
	}
	now := time.Duration(0)
	for range 20000 {
		i, at := r.IntN(len(timers)), now+time.Duration(r.IntN(1000))
		switch r.IntN(4) {
		case 0:
			timers[i].Arm(at)
			due[i] = at
		case 1:
			timers[i].ArmEarlier(at)
			if due[i] == never || at < due[i] {
				due[i] = at
			}
		case 2:
			timers[i].Stop()
			due[i] = never
		case 3:
			now += time.Duration(r.IntN(50))
			expired = nil
			q.Advance(now)
			order := slices.Clone(due)
			require.IsNonDecreasing(t, times(order, expired))
			for _, i := range expired {
				require.LessOrEqual(t, due[i], now)
				due[i] = never
			}
		}
		first, ok := q.Next()
		left := slices.DeleteFunc(slices.Clone(due), func(at time.Duration) bool { return at == never })
		require.Equal(t, len(left), q.Len())
		require.Equal(t, len(left) > 0, ok)
		if ok {
			require.Equal(t, slices.Min(left), first)
		}
	}
}

// times are the deadlines of the given timers.
func times(due []time.Duration, timers []int) []time.Duration {
	at := []time.Duration{0}
	for _, i := range timers {
		at = append(at, due[i])
	}
	return at
}

// Follow visits each deadline in its turn, those that a handler sets included, and ends at the end.
func TestFollow(t *testing.T) {
	var q Queue
	var late, periodic Timer
	var calls, visited []time.Duration
	late.Init(&q, Func(func(now time.Duration) { calls = append(calls, now) }))
	periodic.Init(&q, Func(func(now time.Duration) {
		calls = append(calls, now)
		periodic.Arm(now + 10)
	}))
	late.Arm(1) // before now
	periodic.Arm(20)
	q.Follow(5, 40, func(now time.Duration) { visited = append(visited, now) })
	require.Equal(t, []time.Duration{5, 20, 30, 40}, calls)
	require.Equal(t, append(calls, 40), visited)
}
