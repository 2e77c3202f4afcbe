package socketapi

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace"
)

// watched is the events that a watcher of b received, one line per segment or change of state.
func watched(p *tcpPair, match func(local, remote netip.AddrPort) bool) (lines *[]string, stop func()) {
	lines = new([]string)
	return lines, p.b.Stack.Trace(match, func(r TraceRecord) {
		switch r.Kind {
		case trace.In, trace.Out:
			*lines = append(*lines, string(r.Kind)+" "+r.Segment.Flags+" "+r.Vars.State)
		case trace.State:
			*lines = append(*lines, r.From+" > "+r.Vars.State)
		}
	})
}

func everything(_, _ netip.AddrPort) bool { return true }

// A watcher sees a new connection from its SYN on, an existing one from the call on, and nothing after stop.
func TestTrace(t *testing.T) {
	p := newTCPPair(t)
	old, _ := p.connect()
	lines, stop := watched(p, everything)
	require.NoError(t, p.a.Close(old))
	p.rest()
	require.Equal(t, []string{"in F. ESTABLISHED", "ESTABLISHED > CLOSE-WAIT", "out . CLOSE-WAIT"}, *lines)

	*lines = nil
	fd, _ := p.connect()
	require.Equal(t, []string{
		"in S LISTEN", "LISTEN > SYN-RECEIVED", "out S. SYN-RECEIVED", "in . SYN-RECEIVED", "SYN-RECEIVED > ESTABLISHED",
	}, *lines)

	stop()
	*lines = nil
	require.NoError(t, p.a.Close(fd))
	p.after(time.Second)
	p.connect()
	require.Empty(t, *lines)
}

// Watchers are independent, and one whose match selects no connection sees none.
func TestTraceMatch(t *testing.T) {
	p := newTCPPair(t)
	all, stop := watched(p, everything)
	none, stopNone := watched(p, func(local, _ netip.AddrPort) bool { return local.Port() == 9 })
	defer stopNone()
	p.connect()
	require.NotEmpty(t, *all)
	require.Empty(t, *none)
	stop()
	stop()
}

// A record is the same after its way through JSON.
func TestTraceRecordJSON(t *testing.T) {
	p := newTCPPair(t)
	var records []TraceRecord
	defer p.b.Stack.Trace(everything, func(r TraceRecord) { records = append(records, r) })()
	fd, _ := p.connect()
	_, err := p.a.Send(fd, []byte("knock knock\r\n"), 0)
	require.NoError(t, err)
	p.after(time.Second)
	b, err := json.Marshal(records)
	require.NoError(t, err)
	var again []TraceRecord
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, records, again)
	require.Contains(t, string(b), `"payload":"knock knock\r\n"`)
}
