package step

import (
	"bytes"
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/trace/scenario"
)

var update = flag.Bool("update", false, "write the golden file anew")

// typed returns the lines that a user types.
func typed(lines ...string) <-chan string {
	c := make(chan string, len(lines))
	for _, l := range lines {
		c <- l
	}
	close(c)
	return c
}

// run steps through a scenario and returns the output.
func run(t *testing.T, d scenario.Config, cfg Config) string {
	t.Helper()
	var out bytes.Buffer
	cfg.Out, d.Delay = &out, 5*time.Millisecond
	require.NoError(t, Simulate(t.Context(), d, cfg))
	return out.String()
}

// Every step of a joke whose third segment is lost.
func TestGolden(t *testing.T) {
	got := run(t, scenario.Config{Seed: 1, Drop: []int{3}}, Config{})
	if *update {
		require.NoError(t, os.WriteFile("testdata/drop3.txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/drop3.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got, "-update writes it anew")
}

// Each Enter continues to the next segment, in or out.
func TestHold(t *testing.T) {
	out := run(t, scenario.Config{}, Config{Lines: typed("", "", "p", "?", "q")})
	require.Contains(t, out, "#1 client sends in SYN-SENT: S seq 0 win 65535 ")
	require.Contains(t, out, "server gets in LISTEN: S seq 0 ")
	require.Contains(t, out, "#2 server sends in SYN-RECEIVED: S. seq 0 ack 1 ")
	require.Contains(t, out, "    client: state SYN-SENT, snd.nxt 1, rcv.wnd 65535, ")
	require.True(t, strings.HasSuffix(out, "    "+Help+"\n"), "nothing after q:\n%s", out)
}

// Simulate holds at a break and before each following segment; c continues to the next break.
func TestBreak(t *testing.T) {
	for text, want := range map[string]string{
		"state=fin-wait-1": "server: ESTABLISHED -> FIN-WAIT-1 (RFC 9293 3.10.4)\n    break: state=FIN-WAIT-1\n",
		"retransmit":       "because: retransmission (RFC 6298 5)\n    break: retransmit\n",
		"loss":             "by timeout (RFC 6298 5.4)\n    break: loss\n",
		"drop":             "server has it already: tcp.in.duplicate (RFC 9293 3.10.7.4 first)\n    break: drop\n",
	} {
		b, err := ParseBreak(text)
		require.NoError(t, err)
		out := run(t, scenario.Config{Seed: 1, Drop: []int{2}}, Config{Breaks: []Break{b}, Lines: typed("q")})
		require.True(t, strings.HasSuffix(out, want), "%s:\n%s", text, out)
	}
	b, err := ParseBreak("state=TIME-WAIT")
	require.NoError(t, err)
	out := run(t, scenario.Config{}, Config{Breaks: []Break{b}, Lines: typed("c")})
	require.Contains(t, out, "TIME-WAIT -> CLOSED")
	for _, text := range []string{"", "state=", "state=LISTEN", "state=x", "lost"} {
		_, err := ParseBreak(text)
		require.Error(t, err, text)
	}
}

// The ends have the same names over IPv6, whose MSS is smaller.
func TestStepOverIPv6(t *testing.T) {
	out := run(t, scenario.Config{IPv6: true}, Config{})
	require.Contains(t, out, "#1 client sends in SYN-SENT: S seq 0 win 65535 <mss 1440,")
	require.Contains(t, out, "server gets in LISTEN: S seq 0 ")
}

// An interrupt ends a hold.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.ErrorIs(t, Simulate(ctx, scenario.Config{}, Config{Lines: make(chan string), Out: &out}), context.Canceled)
}
