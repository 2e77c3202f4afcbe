package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TCP-013: nothing depends on where in the sequence space a connection begins.
func TestWindowGrowsFromAnyISS(t *testing.T) {
	for _, iss := range []Seq{0, 1 << 30, 1<<31 - 20000, 1<<31 + 1, 3 << 30, 1<<32 - 20000} {
		s := newScript(t)
		cfg, setup := s.setup()
		setup.ISS = iss
		s.c = Open(s.now, cfg, s.params, setup)
		var seg Segment
		require.True(t, s.c.Output(s.now, &seg))
		s.c.Input(s.now, &Segment{Flags: SYN | ACK, Seq: 5000, Ack: iss + 1, Wnd: 65535, Options: Options{MSS: 1460}})
		s.c.Write(s.now, make([]byte, 40*1460))
		start := s.c.cc.cwnd
		for s.c.Output(s.now, &seg) {
		}
		s.c.Input(s.now, &Segment{Flags: ACK, Seq: 5001, Ack: s.c.snd.nxt, Wnd: 65535})
		require.Greater(t, s.c.cc.cwnd, start, "ISS %d", iss)
		require.Equal(t, s.c.snd.una, s.c.rack.highest, "ISS %d", iss)
	}
}

// TCP-184: without reordering the third report of what was sent after a hole means a loss, at once.
func TestFastRetransmitFromAnyISS(t *testing.T) {
	for _, iss := range []Seq{0, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		s := newScript(t).with(func(g *Config, _ *Params) { g.NoSACK = false }).listen()
		cfg, setup := s.setup()
		setup.ISS = iss
		var seg Segment
		output := func(seq Seq, n int) {
			t.Helper()
			require.True(t, s.c.Output(s.now, &seg), "ISS %d", iss)
			require.Equal(t, seq, seg.Seq-iss, "ISS %d", iss)
			require.Equal(t, n, seg.DataLen(), "ISS %d", iss)
		}
		s.c = Accept(s.now, cfg, s.params, setup, parseLine(t, "S seq 5000 win 64240 <mss 1000,sackOK>"))
		output(0, 0)
		s.now += 400 * time.Millisecond
		s.recv(fmt.Sprintf(". seq 5001 ack %d win 64240", iss+1)).write(4000)
		for i := range 4 {
			output(Seq(1+1000*i), 1000)
		}
		s.now += 400 * time.Millisecond
		for i := range 3 {
			require.False(t, s.c.Output(s.now, &seg), "ISS %d, report %d", iss, i)
			s.recv(fmt.Sprintf(". seq 5001 ack %d win 64240 <sack 1 {%d:%d}>", iss+1, iss+1001, iss+2001+Seq(1000*i)))
		}
		output(1, 1000)
	}
}

// TCP-013: what was noted long ago does not seem to lie ahead once 2^31 octets have passed.
func TestMarksFollow(t *testing.T) {
	s := newScript(t).established("mss 1000")
	for _, mark := range s.c.marks() {
		*mark = s.c.snd.una.Add(1500 - 1<<31)
	}
	s.write(10000).sends(segLine(1001, 1000, ""), segLine(2001, 1000, ""))
	s.recv(". seq 5001 ack 2001 win 64240").recv(". seq 5001 ack 3001 win 64240")
	for _, mark := range s.c.marks() {
		require.Equal(t, s.c.snd.una, *mark)
	}
	s.silence(0)
	for range 3 {
		s.recv(". seq 5001 ack 3001 win 64240")
	}
	s.sends(segLine(3001, 1000, "")).quiet()
}
