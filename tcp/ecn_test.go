package tcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func requestECN(g *Config, _ *Params) { g.ECN = ECNRequest }

// TCP-196, TCP-049: the SYN requests ECN and the SYN,ACK accepts it; neither is ECT.
func TestECNHandshake(t *testing.T) {
	t.Run("active", func(t *testing.T) {
		s := newScript(t).with(requestECN).open().sends("SEW seq 1000 win 65535 <mss 1460>")
		s.recv("S.E seq 5000 ack 1001 win 64240 <mss 1460>").sends(". seq 1001 ack 5001 win 65535")
		s.write(5).sends("P. seq 1001:1006(5) ack 5001 win 65535 ECT")
	})
	t.Run("refused", func(t *testing.T) {
		s := newScript(t).with(requestECN).open().sends("SEW seq 1000 win 65535 <mss 1460>")
		s.recv("S. seq 5000 ack 1001 win 64240 <mss 1460>").sends(". seq 1001 ack 5001 win 65535")
		s.write(5).sends("P. seq 1001:1006(5) ack 5001 win 65535")
	})
	t.Run("a broken peer reflects both bits", func(t *testing.T) {
		s := newScript(t).with(requestECN).open().sends("SEW seq 1000 win 65535 <mss 1460>")
		s.recv("S.EW seq 5000 ack 1001 win 64240 <mss 1460>").sends(". seq 1001 ack 5001 win 65535")
		s.write(5).sends("P. seq 1001:1006(5) ack 5001 win 65535")
	})
	t.Run("a lost SYN is sent again without", func(t *testing.T) {
		s := newScript(t).with(requestECN).open().sends("SEW seq 1000 win 65535 <mss 1460>")
		s.after(s.c.Deadline() - s.now).sends("S seq 1000 win 65535 <mss 1460>")
	})
	t.Run("passive", func(t *testing.T) {
		newScript(t).listen().recv("SEW seq 5000 win 64240 <mss 1460>").sends("S.E seq 1000 ack 5001 win 65535 <mss 1460>")
	})
	t.Run("passive, off", func(t *testing.T) {
		s := newScript(t).with(func(g *Config, _ *Params) { g.ECN = ECNOff }).listen()
		s.recv("SEW seq 5000 win 64240 <mss 1460>").sends("S. seq 1000 ack 5001 win 65535 <mss 1460>")
	})
}

func ecnEstablished(t *testing.T) *script {
	s := newScript(t).listen().recv("SEW seq 5000 win 64240 <mss 1000>").sends("S.E seq 1000 ack 5001 win 65535 <mss 1460>")
	return s.recv(". seq 5001 ack 1001 win 64240").is(Established)
}

// TCP-197: a CE mark makes all ACKs carry ECE until the peer's CWR.
func TestECNEcho(t *testing.T) {
	s := ecnEstablished(t)
	s.recv("P. seq 5001:5011(10) ack 1001 win 64240 CE").sends(".E seq 1001 ack 5011 win 65525")
	s.recv("P. seq 5011:5021(10) ack 1001 win 64240").sends(".E seq 1001 ack 5021 win 65515")
	s.recv("P.W seq 5021:5031(10) ack 1001 win 64240").sends(". seq 1001 ack 5031 win 65505")
}

// TCP-198, TCP-199: the window is reduced once per window of data, the next new data carries CWR, retransmissions and ACKs are not ECT.
func TestECNReduction(t *testing.T) {
	s := ecnEstablished(t).write(20000)
	for range 10 {
		var seg Segment
		require.True(t, s.output(&seg))
		require.True(t, seg.ECT)
	}
	s.quiet()
	cwnd := s.c.cc.cwnd
	s.recv(".E seq 5001 ack 2001 win 64240").quiet()
	reduced := s.c.cc.cwnd
	require.Less(t, reduced, cwnd)
	s.recv(".E seq 5001 ack 3001 win 64240")
	require.Equal(t, reduced, s.c.cc.cwnd)
	s.recv(".E seq 5001 ack 8001 win 64240")
	var seg Segment
	require.True(t, s.output(&seg))
	require.True(t, seg.ECT && seg.Flags.Has(CWR), "%v", &seg)
	s.recv(".E seq 5001 ack 10001 win 64240")
	require.True(t, s.output(&seg))
	require.True(t, seg.ECT && !seg.Flags.Has(CWR), "%v", &seg)
	for s.output(&seg) {
	}
	s.now = s.c.timers.rexmt
	require.True(t, s.output(&seg))
	require.False(t, seg.ECT, "a retransmission: %v", &seg)
}
