package replay

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/capture"
	"tunstack/tcp"
	"tunstack/trace"
	"tunstack/trace/scenario"
)

// The machine gives the recorded answers, at either end, with and without losses.
func TestReplayOfOurselves(t *testing.T) {
	for seed := range uint64(20) {
		for end := range 2 {
			for _, loss := range []float64{0, 0.2} {
				cfg := scenario.Config{Seed: seed, Loss: loss, IPv6: seed%2 == 1}
				c, err := record(t, end, cfg).load("", "")
				require.NoError(t, err)
				require.Equal(t, cfg.Ends()[end], c.Own)
				r := c.Replay(0)
				var text strings.Builder
				require.NoError(t, r.Write(&text))
				require.NotZero(t, r.Count(Same), text.String())
				require.Zero(t, r.Count(Differs)+r.Count(Recorded)+r.Count(Ours), "seed %d, end %d, loss %v\n%s", seed, end, loss, &text)
			}
		}
	}
}

// The end at which the recording was not made is played: segments lost on the way show as differences.
func TestReplayOfTheOther(t *testing.T) {
	for file, cfg := range map[string]scenario.Config{
		"other.txt": {Seed: 1, Drop: []int{2, 7}}, "other6.txt": {Seed: 1, Drop: []int{2, 7}, IPv6: true},
	} {
		client := cfg.Ends()[0]
		c, err := record(t, 1, cfg).load("", client.String())
		require.NoError(t, err)
		require.Equal(t, client, c.Own)
		golden(t, file, c.Replay(time.Millisecond))
	}
}

// A recording of the kernel's TCP on its loopback is played as server and as client.
func TestReplayOfKernel(t *testing.T) {
	for as, name := range map[string]string{"": "server.txt", ":1414": "server.txt", ":60208": "client.txt"} {
		f, err := os.Open("testdata/kernel.pcap")
		require.NoError(t, err)
		defer f.Close()
		in, err := capture.NewReader(f)
		require.NoError(t, err)
		match, err := trace.ParseMatch("")
		require.NoError(t, err)
		c, err := Load(in, match, as)
		require.NoError(t, err)
		r := c.Replay(10 * time.Millisecond)
		require.Zero(t, r.Count(Recorded)+r.Count(Differs), "all that the kernel said is said")
		golden(t, name, r)
	}
}

// One of two recorded connections over IPv6, between two kernels, is selected and played as server and as client: a joke, and an
// answer of 8000 bytes.
func TestReplayOfKernelOverIPv6(t *testing.T) {
	for _, tt := range []struct{ conn, as, name string }{
		{":1414", "", "joke6-server.txt"}, {":1414", "fd00::1", "joke6-client.txt"},
		{"[fd00::2]:19", "[fd00::2]:19", "long6-server.txt"}, {":19", "fd00::1", "long6-client.txt"},
	} {
		f, err := os.Open("testdata/kernel6.pcapng")
		require.NoError(t, err)
		defer f.Close()
		in, err := capture.NewReader(f)
		require.NoError(t, err)
		match, err := trace.ParseMatch(tt.conn)
		require.NoError(t, err)
		c, err := Load(in, match, tt.as)
		require.NoError(t, err)
		r := c.Replay(50 * time.Millisecond) // the kernel delays the ACK of a FIN by 40 ms
		golden(t, tt.name, r)
		require.Zero(t, r.Count(Recorded)+r.Count(Differs), tt.name)
	}
}

// moment is one segment of a recording made by hand.
type moment struct {
	at  time.Duration
	own bool
	s   tcp.Segment
}

// byHand returns a connection whose own end is the server. Its initial sequence numbers are 1000 and 5000.
func byHand(t *testing.T, cfg scenario.Config, rest ...moment) *Result {
	t.Helper()
	r, ends := newRecording(t), cfg.Ends()
	begin := []moment{
		{0, false, tcp.Segment{Flags: tcp.SYN, Seq: 5000, Wnd: 64000, Options: tcp.Options{MSS: 1000}}},
		{0, true, tcp.Segment{Flags: tcp.SYN | tcp.ACK, Seq: 1000, Ack: 5001, Wnd: 64000, Options: tcp.Options{MSS: 1000}}},
		{0, false, tcp.Segment{Flags: tcp.ACK, Seq: 5001, Ack: 1001, Wnd: 64000}},
	}
	for _, m := range append(begin, rest...) {
		from := 0
		if m.own {
			from = 1
		}
		r.add(m.at, ends[from], ends[1-from], m.own, &m.s)
	}
	c, err := r.load("", ends[1].Addr().String())
	require.NoError(t, err)
	return c.Replay(10 * time.Millisecond)
}

// shown returns the lines of a result after the handshake.
func shown(r *Result) []string {
	var lines []string
	for _, l := range r.Lines[3:] {
		note := ""
		if l.Note != "" {
			note = " ! " + l.Note
		}
		lines = append(lines, fmt.Sprintf("%c %v %s%s", l.Sign, l.At, l.Segment.String(), note))
	}
	return lines
}

const ms = time.Millisecond

func data(seq, ack tcp.Seq, flags tcp.Flags, n int) tcp.Segment {
	return tcp.Segment{Flags: flags | tcp.ACK, Seq: seq, Ack: ack, Wnd: 64000, Payload: make([]byte, n)}
}

func TestReplayByHand(t *testing.T) {
	for name, tt := range map[string]struct {
		recorded []moment
		want     []string
	}{
		"what has no counterpart": {
			[]moment{{100 * ms, false, data(5001, 1001, tcp.PSH, 10)}, {300 * ms, true, data(1001, 5011, 0, 0)}, {301 * ms, true, data(1001, 5011, 0, 0)}},
			[]string{"  100ms P. seq 1:11(10) ack 1 win 64000", "~ 300ms . seq 1 ack 11 win 64000 ! 200ms earlier", "- 301ms . seq 1 ack 11 win 64000"},
		},
		"other fields": {
			[]moment{{100 * ms, true, data(1001, 5001, 0, 10)}, {100 * ms, false, data(5001, 1011, 0, 0)}},
			[]string{"~ 100ms . seq 1:11(10) ack 1 win 64000 ! flags P.", "  100ms . seq 1 ack 11 win 64000"},
		},
		"a super-segment is what it is on the wire": {
			[]moment{{100 * ms, true, data(1001, 5001, tcp.PSH, 2500)}, {100 * ms, false, data(5001, 3501, 0, 0)}},
			[]string{"= 100ms . seq 1:1001(1000) ack 1 win 64000", "= 100ms . seq 1001:2001(1000) ack 1 win 64000", "= 100ms P. seq 2001:2501(500) ack 1 win 64000", "  100ms . seq 1 ack 2501 win 64000"},
		},
		"without Nagle's algorithm": {
			[]moment{{100 * ms, true, data(1001, 5001, tcp.PSH, 10)}, {110 * ms, true, data(1011, 5001, tcp.PSH, 10)}, {111 * ms, false, data(5001, 1021, 0, 0)}},
			[]string{"= 100ms P. seq 1:11(10) ack 1 win 64000", "= 110ms P. seq 11:21(10) ack 1 win 64000", "  111ms . seq 1 ack 21 win 64000"},
		},
		"what the capture has missed": {
			[]moment{{100 * ms, true, data(1011, 5001, tcp.PSH|tcp.FIN, 10)}, {101 * ms, false, data(5001, 1022, 0, 0)}},
			[]string{"- 100ms FP. seq 11:21(10) ack 1 win 64000", "+ 100ms FP. seq 1:21(20) ack 1 win 64000", "  101ms . seq 1 ack 22 win 64000"},
		},
		"an acknowledgment that comes too early": {
			[]moment{{100 * ms, true, data(1001, 5001, tcp.PSH, 10)}, {101 * ms, false, data(5001, 1031, 0, 0)}},
			[]string{"= 100ms P. seq 1:11(10) ack 1 win 64000", "  101ms . seq 1 ack 31 win 64000 ! not yet sent by ours: 20 bytes that it acknowledges"},
		},
		"a drop": {
			[]moment{{100 * ms, false, tcp.Segment{Flags: tcp.RST, Seq: 5002}}},
			[]string{"  100ms R seq 2 win 0 ! dropped: tcp.drop.reset, seq 2 not at RCV.NXT 1 (RFC 5961 3.2, RFC 1337)", "+ 100ms . seq 1 ack 1 win 64000"},
		},
		"an abort": {
			[]moment{{100 * ms, true, tcp.Segment{Flags: tcp.RST | tcp.ACK, Seq: 1001, Ack: 5001}}},
			[]string{"= 100ms R. seq 1 ack 1 win 0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cfg := range []scenario.Config{{}, {IPv6: true}} {
				require.Equal(t, tt.want, shown(byHand(t, cfg, tt.recorded...)), "%v", cfg.Ends())
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	syn := tcp.Segment{Flags: tcp.SYN, Seq: 1}
	ends := scenario.Config{}.Ends()
	a, b := ends[0], ends[1]
	r := newRecording(t)
	_, err := r.load("", "")
	require.EqualError(t, err, "no TCP connection was recorded from its SYN on")

	r = newRecording(t)
	r.add(0, a, b, true, &syn)
	_, err = r.load("", "10.0.0.9")
	require.EqualError(t, err, "10.0.0.9 is not an end of the connection from 10.0.0.1:40000 to 10.0.0.2:1414")

	r = newRecording(t)
	for seq := range tcp.Seq(7) {
		syn.Seq = seq
		r.add(0, a, b, true, &syn)
	}
	_, err = r.load("", "")
	require.ErrorContains(t, err, "the capture has 7 connections; select one with --conn: from 10.0.0.1:40000, ")
	require.True(t, strings.HasSuffix(err.Error(), ", ..."))

	r = newRecording(t)
	r.add(0, a, b, true, &syn)
	r.add(0, a, b, true, &tcp.Segment{Flags: tcp.ACK, Seq: 2})
	_, err = r.load(":99", "")
	require.EqualError(t, err, "no TCP connection was recorded from its SYN on")
}

// No file makes Load or Replay panic.
func FuzzReplay(f *testing.F) {
	kernel, err := os.ReadFile("testdata/kernel.pcap")
	require.NoError(f, err)
	f.Add(kernel[:1000], "")
	f.Add(record(f, 1, scenario.Config{Seed: 1, Drop: []int{2}}).buf.Bytes(), "10.0.0.1")
	f.Add(record(f, 1, scenario.Config{Seed: 1, Drop: []int{2}, IPv6: true}).buf.Bytes(), "fd00::1")
	match, err := trace.ParseMatch("")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, file []byte, as string) {
		in, err := capture.NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		c, err := Load(in, match, as)
		if err != nil {
			return
		}
		require.NoError(t, c.Replay(time.Millisecond).Write(io.Discard))
	})
}
