package stats

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// layer is the set of counters of a layer.
type layer struct {
	In           Counter `name:"x.in.packets" doc:"packets received"`
	DropChecksum Counter `name:"x.drop.bad_checksum" doc:"checksum wrong" rfc:"RFC 1122 3.2.1.2"`
	DropLength   Counter `name:"x.drop.bad_length" doc:"length wrong"`
}

func TestRead(t *testing.T) {
	var l layer
	l.In.Inc()
	l.In.Add(4)
	l.DropChecksum.Inc()
	require.Equal(t, []Value{
		{Name: "x.in.packets", Value: 5, Doc: "packets received"},
		{Name: "x.drop.bad_checksum", Value: 1, Doc: "checksum wrong", RFC: "RFC 1122 3.2.1.2"},
		{Name: "x.drop.bad_length", Doc: "length wrong"},
	}, Read(&l))
}

func TestReadRefusesFieldsThatNameNothing(t *testing.T) {
	require.PanicsWithValue(t, "stats: struct { In stats.Counter }.In is not a named Counter",
		func() { Read(&struct{ In Counter }{}) })
	require.Panics(t, func() {
		Read(&struct {
			In uint64 `name:"x.in.packets"`
		}{})
	})
}

func TestOf(t *testing.T) {
	var l layer
	l.DropLength.Add(2)
	require.Equal(t, Value{Name: "x.drop.bad_length", Value: 2, Doc: "length wrong"}, Of(&l, &l.DropLength))
	require.Zero(t, Of(&l, new(Counter)), "a counter of somebody else")
}

func TestCount(t *testing.T) {
	var l layer
	l.DropLength.Add(2)
	require.EqualValues(t, 2, Count("x.drop.bad_length", &struct{}{}, &l))
	require.Panics(t, func() { Count("x.drop.bad", &l) })
}

// Drops are live: they show events counted after the call of Drops.
func TestDrops(t *testing.T) {
	var l layer
	drops := Drops(&l)
	l.DropChecksum.Inc()
	require.Equal(t, []Named{
		{&l.DropChecksum, "x.drop.bad_checksum", "RFC 1122 3.2.1.2"},
		{&l.DropLength, "x.drop.bad_length", ""},
	}, drops)
	require.EqualValues(t, 1, drops[0].Value())
}

func TestCounterIsSafeForConcurrentUse(t *testing.T) {
	var c Counter
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				c.Inc()
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 4000, c.Value())
}
