package poll

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// woken takes w's token, if there is one.
func woken(w *Waiter) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

func TestNotifyWakesThoseWhoWaitForTheEvent(t *testing.T) {
	var q WaitList
	reader, writer := NewWaiter(), NewWaiter()
	q.Add(reader, In)
	q.Add(writer, Out)
	for _, c := range []struct {
		events         Mask
		reader, writer bool
	}{
		{In, true, false},
		{Out, false, true},
		{In | Out, true, true},
		{Pri | RdHup, false, false},
		{Err, true, true}, // always reported
		{Hup, true, true},
		{Nval, true, true},
	} {
		q.Notify(c.events)
		require.Equal(t, c.reader, woken(reader), "reader, %#x", c.events)
		require.Equal(t, c.writer, woken(writer), "writer, %#x", c.events)
	}
}

func TestManyEventsAreOneToken(t *testing.T) {
	var q WaitList
	w := NewWaiter()
	q.Add(w, In)
	q.Notify(In)
	q.Notify(In)
	require.True(t, woken(w))
	require.False(t, woken(w))
}

func TestRemove(t *testing.T) {
	var q WaitList
	gone, stays := NewWaiter(), NewWaiter()
	q.Add(gone, In|Pri)
	q.Add(stays, Out)
	q.Add(gone, Out) // again, for another event
	q.Remove(gone)
	q.Notify(In | Pri | Out | Err)
	require.False(t, woken(gone))
	require.True(t, woken(stays))
	require.EqualValues(t, Out|Always, q.want.Load(), "events without a waiter are not in the union")
	q.Remove(stays)
	q.Notify(Out | Always)
	require.False(t, woken(stays))
}

func TestFuncIsCalledInsteadOfC(t *testing.T) {
	var q WaitList
	var got []Mask
	w := NewWaiter()
	w.Func = func(events Mask) { got = append(got, events) }
	q.Add(w, In)
	q.Notify(In | Out)
	q.Notify(Out)
	require.Equal(t, []Mask{In | Out}, got)
	require.False(t, woken(w))
}

// Add, check, receive: a waiter that does this in order misses no event.
func TestNoEventIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if all goroutines wait
		const events = 1000
		var q WaitList
		var ready atomic.Int32
		go func() {
			for range events {
				ready.Add(1)
				q.Notify(In)
			}
		}()
		for seen := int32(0); seen < events; seen = ready.Load() {
			w := NewWaiter()
			q.Add(w, In)
			if ready.Load() == seen {
				<-w.C
			}
			q.Remove(w)
		}
	})
}
