package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVirtual(t *testing.T) {
	var c Virtual
	c.Set(time.Second)
	c.Set(time.Millisecond)
	require.Equal(t, time.Second, c.Now(), "it never goes back")
}

// A stop of the process is a jump of the base clock without reads.
func TestSteadyLeavesStopsOut(t *testing.T) {
	var base Virtual
	c := NewSteady(&base)
	c.setGap(steadyGap)
	base.Set(50 * time.Millisecond)
	require.Equal(t, 50*time.Millisecond, c.Now())
	base.Set(90 * time.Second)
	require.Equal(t, 50*time.Millisecond, c.Now(), "a timer that was not due is not")
	require.Equal(t, 90*time.Second-50*time.Millisecond, c.Lost())
	base.Set(90*time.Second + 20*time.Millisecond)
	require.Equal(t, 70*time.Millisecond, c.Now())
}

// While held it stands still, until every hold is released.
func TestSteadyHold(t *testing.T) {
	var base Virtual
	c := NewSteady(&base)
	base.Set(time.Second)
	c.Hold()
	base.Set(time.Minute)
	require.Equal(t, time.Second, c.Now())
	c.Hold()
	base.Set(time.Hour)
	c.Release()
	require.Equal(t, time.Second, c.Now(), "another one holds it")
	base.Set(2 * time.Hour)
	c.Release()
	require.Equal(t, time.Second, c.Now())
	base.Set(2*time.Hour + time.Second)
	require.Equal(t, 2*time.Second, c.Now())
	require.Equal(t, 2*time.Hour-time.Second, c.Lost())
}

// Readers never see it go back while other goroutines hold and release it.
func TestSteadyNeverGoesBack(t *testing.T) {
	c := NewSteady(NewReal())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 10_000 {
			c.Hold()
			c.Release()
		}
	}()
	for last := time.Duration(0); ; {
		now := c.Now()
		require.GreaterOrEqual(t, now, last)
		last = now
		select {
		case <-done:
			return
		default:
		}
	}
}

// The cost of being stoppable.
func BenchmarkNow(b *testing.B) {
	held := NewSteady(NewReal())
	held.Hold()
	for name, c := range map[string]Clock{"real": NewReal(), "steady": NewSteady(NewReal()), "held": held} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Now()
			}
		})
	}
}

// While it runs undisturbed it equals its base, even with few reads.
func TestSteadyRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := NewSteady(NewReal())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		time.Sleep(time.Hour)
		require.Equal(t, time.Hour, c.Now())
		cancel()
		<-done
		time.Sleep(time.Hour)
		require.Equal(t, 2*time.Hour, c.Now(), "not running, it leaves nothing out")
	})
}
