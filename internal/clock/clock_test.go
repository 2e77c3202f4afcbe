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

// A stop of the process is a jump of the base clock in which nobody looked.
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

// While it runs undisturbed it is its base, also for those who look seldom.
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
