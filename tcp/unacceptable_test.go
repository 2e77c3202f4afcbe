package tcp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/stats"
)

// timeWait is a connection that has been in TIME-WAIT for 30 seconds: RCV.NXT is 5002, SND.NXT 1002.
func timeWait(t *testing.T) *script {
	return inState(t, TimeWait).after(30 * time.Second)
}

// TCP-150: an acceptable segment in TIME-WAIT, and a retransmitted FIN, draw an ACK and restart the 2 MSL timer.
func TestSegmentsInTimeWait(t *testing.T) {
	const ack = ". seq 1002 ack 5002 win 65534"
	for _, tt := range []struct {
		name, in string
		sends    []string
		restarts bool
	}{
		{"ACK at RCV.NXT", ". seq 5002 ack 1002 win 64240", nil, false},
		{"ACK at RCV.NXT+1", ". seq 5003 ack 1002 win 64240", []string{ack}, true},
		{"FIN at RCV.NXT", "F. seq 5002 ack 1002 win 64240", []string{ack}, true},
		{"FIN at RCV.NXT+1", "F. seq 5003 ack 1002 win 64240", []string{ack}, true},
		{"text at RCV.NXT", "P. seq 5002:5012(10) ack 1002 win 64240", []string{ack}, true},
		{"the FIN again", "F. seq 5001 ack 1002 win 64240", []string{ack}, true},
		{"text and the FIN again", "FP. seq 4991:5001(10) ack 1002 win 64240", []string{ack}, true},
		{"text again", "P. seq 4991:5001(10) ack 1002 win 64240", []string{ack}, false},
		{"another FIN, left of the window", "F. seq 4990 ack 1002 win 64240", []string{ack}, false},
		{"a FIN right of the window", "F. seq 75000 ack 1002 win 64240", []string{ack}, false},
		{"a bad ACK", "F. seq 5002 ack 2000 win 64240", []string{ack}, false},
		{"SYN", "S seq 5002 win 64240", []string{ack}, false},
		{"RST", "R seq 5002 win 0", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := timeWait(t).recv(tt.in).sends(tt.sends...).quiet().is(TimeWait)
			s.after(30 * time.Second)
			if tt.restarts {
				s.quiet().is(TimeWait).after(30 * time.Second)
			}
			s.quiet().is(Closed)
		})
	}
}

// SEC-003: blind data and FINs draw ten ACKs a second, and do not keep the peer's duplicates from being answered.
func TestBlindTextAndFin(t *testing.T) {
	s := newScript(t).established("").recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	acks := 0
	for i := range 1000 {
		at := Seq(100_000 + 4_000_000*i)
		s.recv((&Segment{Flags: ACK, Seq: at, Ack: 1001, Wnd: 9, Payload: pattern(at, 10)}).String())
		acks += s.silence(0)
		s.recv((&Segment{Flags: FIN | ACK, Seq: at, Ack: 1001, Wnd: 9}).String())
		acks += s.silence(0)
	}
	require.Equal(t, maxChallenges, acks)
	s.recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
	s.recv(". seq 5010 ack 1001 win 64240").quiet() // an empty segment shares the limit
	s.after(time.Second).recv(". seq 5010 ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
}

// dropped counts drops by reason, and keeps the details.
type dropped struct {
	reasons []string
	details []string
}

func (d *dropped) Trace(_ time.Duration, _ *Conn, e Event) {
	if e.Kind == SegmentDropped {
		d.reasons = append(d.reasons, e.Why)
		d.details = append(d.details, e.Detail)
	}
}

// TCP-138, TCP-140: a dropped segment has one reason; a duplicate is not dropped, because its ACK is taken.
func TestOneReasonPerDrop(t *testing.T) {
	for _, tt := range []struct{ name, in, counter, detail string }{
		{"SYN out of the window", "S seq 4999 win 9", "tcp.drop.syn", "seq -1:0 not in 11:65536"},
		{"SYN in the window", "S seq 5011 win 9", "tcp.drop.syn", ""},
		{"RST out of the window", "R seq 4999 win 0", "tcp.drop.sequence", "seq -1:-1 not in 11:65536"},
		{"RST in the window", "R seq 5012 win 0", "tcp.drop.reset", "seq 12 not at RCV.NXT 11"},
		{"text beyond the window", "P. seq 75000:75010(10) ack 1001 win 9", "tcp.drop.sequence", "seq 70000:70010 not in 11:65536"},
		{"empty segment left of the window", ". seq 5010 ack 1001 win 9", "tcp.drop.sequence", "seq 10:10 not in 11:65536"},
		{"no ACK", "P seq 5011:5021(10) win 9", "tcp.drop.no_ack", ""},
		{"ACK of what was never sent", "P. seq 5011:5021(10) ack 2002 win 9", "tcp.drop.bad_ack", "ack 1002 not in -64239:1001"},
		{"text again", "P. seq 5001:5011(10) ack 2001 win 9", "tcp.in.duplicate", ""},
		{"a part of it again", "P. seq 5003:5006(3) ack 1001 win 9", "tcp.in.duplicate", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t).established("mss 1000").recv("P. seq 5001:5011(10) ack 1001 win 64240").sends(". seq 1001 ack 5011 win 65525")
			s.write(1000).sends("P. seq 1001:2001(1000) ack 5011 win 65525")
			d := new(dropped)
			s.c.SetTracer(d)
			s.recv(tt.in).silence(0)
			var counted []string
			for _, v := range stats.Read(s.c.cfg.Stats) {
				if name := v.Name; v.Value > 0 && (name == "tcp.in.duplicate" || len(name) > 9 && name[:9] == "tcp.drop.") {
					counted = append(counted, name)
					require.EqualValues(t, 1, v.Value)
				}
			}
			require.Equal(t, []string{tt.counter}, counted)
			if tt.counter == "tcp.in.duplicate" {
				require.Empty(t, d.reasons)
				require.Equal(t, tt.name == "text again", s.c.Unacked() == 0)
				return
			}
			require.Equal(t, []string{tt.counter}, d.reasons)
			require.Equal(t, []string{tt.detail}, d.details)
			require.Equal(t, 1000, s.c.Unacked(), "its ACK is not taken")
		})
	}
}
