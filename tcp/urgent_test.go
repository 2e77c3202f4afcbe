package tcp

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TCP-067, TCP-068, TCP-069: the urgent pointer names the byte after the urgent data, on every segment before it.
func TestSendUrgent(t *testing.T) {
	s := newScript(t).established("mss 1000").write(1500)
	require.Equal(t, 600, s.c.WriteUrgent(s.now, pattern(s.dataEnd(), 600)))
	s.write(100)
	s.sends(
		".U seq 1001:2001(1000) ack 5001 win 65535 urg 2100",
		".U seq 2001:3001(1000) ack 5001 win 65535 urg 1100",
		"P.U seq 3001:3201(200) ack 5001 win 65535 urg 100")
	s.recv(". seq 5001 ack 3201 win 64240").write(10).sends("P. seq 3201:3211(10) ack 5001 win 65535")
}

// TCP-070, TCP-071, SOCK-022: the user gets an event, and reads the byte out of band, not in the stream.
func TestReceiveUrgent(t *testing.T) {
	s := newScript(t).established("")
	s.recv(".U seq 5001 ack 1001 win 64240 urg 5")
	require.NotZero(t, s.c.Events()&Urgent)
	_, err := s.c.ReadUrgent()
	require.ErrorIs(t, err, syscall.EAGAIN, "announced, not arrived")
	s.recv("P.U seq 5001:5009(8) ack 1001 win 64240 urg 5").sends(". seq 1001 ack 5009 win 65527")
	require.True(t, s.c.UrgentPending())
	b, err := s.c.PeekUrgent()
	require.NoError(t, err)
	require.Equal(t, pattern(5005, 1)[0], b)
	s.reads(5001, 4)
	require.True(t, s.c.AtMark())
	require.Zero(t, s.c.BeforeMark())
	require.Equal(t, 3, s.c.Available())
	b, err = s.c.ReadUrgent()
	require.NoError(t, err)
	require.Equal(t, pattern(5005, 1)[0], b)
	_, err = s.c.ReadUrgent()
	require.ErrorIs(t, err, syscall.EINVAL, "read before")
	require.False(t, s.c.UrgentPending())
	require.Equal(t, 3, s.c.Read(s.now, make([]byte, 8)))
	require.False(t, s.c.AtMark())
}

// SOCK-022: SO_OOBINLINE leaves the byte in the stream; a read still stops before it.
func TestUrgentInline(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.OOBInline = true }).established("")
	s.recv("P.U seq 5001:5009(8) ack 1001 win 64240 urg 5").sends(". seq 1001 ack 5009 win 65527")
	require.Equal(t, 4, s.c.Read(s.now, make([]byte, 8)))
	require.True(t, s.c.AtMark())
	_, err := s.c.ReadUrgent()
	require.ErrorIs(t, err, syscall.EINVAL)
	s.reads(5005, 4)
}

// TCP-015: urgent data is announced through a closed window.
func TestUrgentAtClosedWindow(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.RcvBuf = 1000 }).established("mss 1000")
	s.recv("P. seq 5001:6001(1000) ack 1001 win 64240").sends(". seq 1001 ack 6001 win 0")
	s.c.Events()
	s.recv(".U seq 6001 ack 1001 win 64240 urg 1")
	require.NotZero(t, s.c.Events()&Urgent)
}

// SOCK-022: peeking at the mark, or reading 0 bytes there, does not move the mark.
func TestPeekAtMark(t *testing.T) {
	for _, inline := range []bool{false, true} {
		s := newScript(t).with(func(_ *Config, p *Params) { p.OOBInline = inline }).established("")
		s.recv("P.U seq 5001:5009(8) ack 1001 win 64240 urg 5").sends(". seq 1001 ack 5009 win 65527")
		p := make([]byte, 8)
		require.Equal(t, 4, s.c.Peek(p), "up to the mark")
		s.reads(5001, 4)
		want := pattern(5005, 4)
		if !inline {
			want = want[1:]
		}
		require.Equal(t, want, p[:s.c.Peek(p)])
		require.Zero(t, s.c.Read(s.now, nil))
		require.True(t, s.c.AtMark())
		require.Equal(t, want, p[:s.c.Read(s.now, p)])
		require.False(t, s.c.AtMark())
	}
}
