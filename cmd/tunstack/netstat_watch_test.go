package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/cmd/internal/control"
	"tunstack/socketapi"
)

// written is an output that sends each write to a channel.
type written chan string

// Write implements io.Writer.
func (w written) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

// watched runs `netstat --watch` for some ticks and returns the output at the beginning and at each.
func watched(t *testing.T, f netstatFlags, ticks int) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, tick, done := make(written), make(chan time.Time), make(chan error, 1)
	a := &app{streams: streams{strings.NewReader(""), out, io.Discard}, control: control.DefaultPath()}
	go func() { done <- a.watchNetstat(ctx, &f, tick) }()
	shown := []string{<-out}
	for range ticks {
		tick <- time.Time{}
		shown = append(shown, <-out)
	}
	cancel()
	require.NoError(t, <-done)
	return shown
}

func TestWatchSockets(t *testing.T) {
	startLoopback(t)
	shown := watched(t, netstatFlags{udp: true, info: true}, 2)
	require.Regexp(t, `^State +Recv-Q .*\n(UNCONN .*\n){5}$`, shown[0])
	require.Equal(t, "\n"+shown[0], shown[1], "an empty line between")
	require.Equal(t, shown[1], shown[2])
}

func TestWatchJSON(t *testing.T) {
	startLoopback(t)
	for _, f := range []netstatFlags{{json: true}, {json: true, info: true}, {json: true, statistics: true}} {
		shown := watched(t, f, 2)
		in := json.NewDecoder(strings.NewReader(strings.Join(shown, "")))
		for range shown {
			var rows []map[string]any
			require.NoError(t, in.Decode(&rows))
			require.NotEmpty(t, rows)
		}
		require.Equal(t, io.EOF, in.Decode(new(any)))
	}
}

// The increase of counters since the last print stands beside them; counters at zero are left out.
func TestWatchGrowth(t *testing.T) {
	rows := []socketapi.Counter{
		{Name: "tcp.in.segments", Value: 10, Doc: "segments received"},
		{Name: "tcp.drop.paws", Value: 0, Doc: "timestamp older", RFC: "RFC 7323 5.3"},
	}
	var failure error
	g := growth{fetch: func() ([]socketapi.Counter, error) { return rows, failure }}
	next := func() string {
		var b strings.Builder
		require.NoError(t, g.print(&b))
		return b.String()
	}
	require.Equal(t, "tcp.in.segments           10            segments received\n", next())
	rows[0].Value, rows[1].Value = 1010, 1
	require.Equal(t, "tcp.in.segments         1010     +1000  segments received\n"+
		"tcp.drop.paws              1        +1  timestamp older (RFC 7323 5.3)\n", next())
	require.Equal(t, "tcp.in.segments         1010            segments received\n"+
		"tcp.drop.paws              1            timestamp older (RFC 7323 5.3)\n", next())
	failure = errors.New("gone")
	require.ErrorIs(t, g.print(io.Discard), failure)
}

// A stack that ends while it is watched is an error.
func TestWatchOfNothing(t *testing.T) {
	path := noStack(t)
	requireOneLine(t, tunstack("", "netstat", "--watch"), exitFailure, "no stack is running behind "+path)
}

func TestInPlace(t *testing.T) {
	require.Equal(t, "\x1b[2J\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J", inPlace("one\ntwo\n", 80, 24, true))
	require.Equal(t, "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J", inPlace("one\ntwo\n", 80, 3, false), "it fits")
	require.Equal(t, "\x1b[Hone\x1b[K\n... 2 more lines\x1b[K\n\x1b[J", inPlace("one\ntwo\nthree\n", 80, 3, false))
	require.Equal(t, "\x1b[Hone\x1b[K\n... 1 more lines\x1b[K\n\x1b[J", inPlace("one\nit wraps\n", 5, 3, false))
	require.Equal(t, "\x1b[H... 2 more lines\x1b[K\n\x1b[J", inPlace("one\ntwo\n", 80, 2, false))
}
