package step

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
	"tunstack/trace/scenario"
)

// source returns records, and then an error. Without an error Next blocks for ever.
type source struct {
	records []trace.Record
	err     error
}

// Next implements Source.
func (s *source) Next() (trace.Record, error) {
	if len(s.records) == 0 {
		if s.err == nil {
			select {}
		}
		return trace.Record{}, s.err
	}
	r := s.records[0]
	s.records = s.records[1:]
	return r, nil
}

// told returns the records of the server of a joke that begins an hour after the start of its stack.
func told(t *testing.T) []trace.Record {
	t.Helper()
	var records []trace.Record
	d := scenario.Config{Seed: 1, Delay: 5 * time.Millisecond, Watch: func(end int, r trace.Record) {
		if end == 1 {
			r.At += time.Hour
			records = append(records, r)
		}
	}}
	require.NoError(t, Simulate(t.Context(), d, Config{Out: io.Discard}))
	world := scenario.New(d)
	require.NoError(t, world.Run(d.MaxSteps()))
	return records
}

// Changes of the connection and missing records are printed, and times count from the first record.
func TestFollow(t *testing.T) {
	records := told(t)
	other := records[0]
	other.Remote = netip.MustParseAddrPort("10.0.0.3:1")
	in := &source{records: append(append(records, trace.Record{Kind: trace.Gap, Bytes: 7}), other), err: io.EOF}
	var out bytes.Buffer
	require.NoError(t, Follow(t.Context(), in, Config{Out: &out}))
	require.True(t, strings.HasPrefix(out.String(), "\n=== 10.0.0.2:1414 with 10.0.0.1:40000\n\n0.000000 s\nstack gets in LISTEN: S seq 0 "), out.String())
	require.Contains(t, out.String(), "    stack: FIN-WAIT-2 -> TIME-WAIT (RFC 9293 3.10.7.4 eighth)\n    stack: snd.una ")
	require.Contains(t, out.String(), "\n    7 records are missing: too much happened at once\n\n=== 10.0.0.2:1414 with 10.0.0.3:1\n")

	broken := errors.New("broken")
	require.Equal(t, broken, Follow(t.Context(), &source{err: broken}, Config{Out: io.Discard}))
}

// session is a user who follows a joke that does not end.
type session struct {
	lines chan string
	done  chan error

	mu      sync.Mutex
	printed sync.Cond
	text    string
}

func follow(t *testing.T, breaks ...Break) *session {
	t.Helper()
	u := &session{lines: make(chan string), done: make(chan error)}
	u.printed.L = &u.mu
	cfg := Config{Out: u, Lines: u.lines, Breaks: breaks}
	go func() { u.done <- Follow(t.Context(), &source{records: told(t)}, cfg) }()
	return u
}

// Write implements io.Writer.
func (u *session) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.text += string(b)
	u.printed.Broadcast()
	return len(b), nil
}

// after types a line when the output ends as the pattern says and no more comes.
func (u *session) after(pattern, line string) {
	end := regexp.MustCompile(pattern + "\n$")
	u.mu.Lock()
	for !end.MatchString(u.text) {
		u.printed.Wait()
	}
	u.mu.Unlock()
	u.lines <- line
}

// Follow holds at each segment until Enter, and ends after q.
func TestFollowHolds(t *testing.T) {
	u := follow(t)
	u.after("decides: RFC 9293 3.10.7.2", "")
	u.after(`because: new \(RFC 9293 3.5\)`, "")
	u.after("decides: RFC 9293 3.10.7.4", "q")
	require.NoError(t, <-u.done)
	require.Contains(t, u.text, "stack gets in SYN-RECEIVED: . seq 1 ack 1 ")
}

// Follow continues to a break, and can be ended while it waits for a record.
func TestFollowWaits(t *testing.T) {
	b, err := ParseBreak("state=TIME-WAIT")
	require.NoError(t, err)
	u := follow(t, b)
	u.after("break: state=TIME-WAIT", "p")
	u.after(`rto \S+`, "c")
	u.after("stack stops the linger timer", "q")
	require.NoError(t, <-u.done)
	require.Contains(t, u.text, "    break: state=TIME-WAIT\n    stack: state FIN-WAIT-1, snd.una 25, ")
}

// The end of ctx ends Follow, the end of the input does not.
func TestFollowInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.NoError(t, Follow(ctx, &source{records: told(t)}, Config{Out: io.Discard, Lines: typed()}))
}
