package poll

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Calls run one at a time, and at least once after each Take.
func TestTurns(t *testing.T) {
	var turns Turns
	var asked, done atomic.Int64 // events, and those that a run has seen
	inside := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				asked.Add(1)
				turns.Take(func() {
					inside++
					done.Store(asked.Load())
					if inside != 1 {
						t.Error("two at a time")
					}
					inside--
				})
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 8000, done.Load())
}

// A Take within a turn makes the function run again, after it.
func TestTurnsWithin(t *testing.T) {
	var turns Turns
	var order []string
	again := true
	var f func()
	f = func() {
		order = append(order, "begin")
		if again {
			again = false
			turns.Take(f)
		}
		order = append(order, "end")
	}
	turns.Take(f)
	require.Equal(t, []string{"begin", "end", "begin", "end"}, order)
}
