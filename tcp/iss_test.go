package tcp

import (
	"testing"

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
