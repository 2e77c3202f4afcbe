package tcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SOCK-039: TCP_CORK delays a partial segment for at most 200 ms.
func TestCork(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.Cork = true }).established("")
	s.write(100).after(200 * time.Millisecond).sends("P. seq 1001:1101(100) ack 5001 win 65535")
	s.recv(". seq 5001 ack 1101 win 64240").write(100).quiet()
	s.c.SetParams(s.now, &Params{})
	s.sends("P. seq 1101:1201(100) ack 5001 win 65535")
}

// TCP-205: the retransmission timer starts when a delayed segment is sent, not when it is written.
func TestHeldDataStartsNoRetransmissionTimer(t *testing.T) {
	for name, hold := range map[string]func(*script){
		"TCP_CORK": func(s *script) { s.c.SetParams(s.now, &Params{Cork: true}) },
		"MSG_MORE": func(s *script) { s.c.More(true) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t).established("").write(1).sends(segLine(1001, 1, "P"))
			s.after(50 * time.Millisecond).recv(". seq 5001 ack 1002 win 64240").quiet()
			hold(s)
			cwnd := s.c.Info().SndCwnd
			s.write(100).after(200 * time.Millisecond).sends(segLine(1002, 100, "P"))
			s.after(50 * time.Millisecond).recv(". seq 5001 ack 1102 win 64240").after(time.Minute).quiet()
			require.GreaterOrEqual(t, s.c.Info().SndCwnd, cwnd)
			require.Zero(t, s.c.cfg.Stats.Retransmits.Value())
		})
	}
}

// SOCK-039: uncorking with an empty send buffer does not push data written later.
func TestUncorkWithNothingQueued(t *testing.T) {
	s := newScript(t).established("")
	s.c.SetParams(s.now, &Params{Cork: true})
	s.c.SetParams(s.now, &Params{})
	s.c.More(true)
	s.write(10).after(200 * time.Millisecond).sends(segLine(1001, 10, "P"))
	s.c.More(false)
	s.write(10).quiet() // Nagle
	s.recv(". seq 5001 ack 1011 win 64240").sends(segLine(1011, 10, "P"))
}

// SOCK-039: the timer of TCP_CORK and MSG_MORE stops when any event sends the delayed data.
func TestCorkTimerDies(t *testing.T) {
	held := func(t *testing.T) *script {
		s := newScript(t).with(func(_ *Config, p *Params) { p.Cork = true }).established("mss 1000").write(100)
		return s.after(150 * time.Millisecond).quiet()
	}
	for name, end := range map[string]func(s *script){
		"a full-sized segment": func(s *script) { s.write(900).sends(segLine(1001, 1000, "P")) },
		"uncorked":             func(s *script) { s.c.SetParams(s.now, &Params{}); s.sends(segLine(1001, 100, "P")) },
		"TCP_NODELAY":          func(s *script) { s.c.Push(); s.sends(segLine(1001, 100, "P")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := held(t)
			end(s)
			require.Zero(t, s.c.timers.cork)
			at := int(s.nxt())
			s.recv(fmt.Sprintf(". seq 5001 ack %d win 64240", at))
			s.c.SetParams(s.now, &Params{Cork: true})
			s.write(10).after(200 * time.Millisecond).sends(segLine(at, 10, "P"))
		})
	}
	s := newScript(t).established("mss 1000").write(1).sends(segLine(1001, 1, "P"))
	s.c.More(true)
	s.write(10).quiet()
	s.c.More(false) // now only Nagle's algorithm delays it
	s.quiet()
	require.Zero(t, s.c.timers.cork)
}

// SOCK-038: setting TCP_NODELAY, even a second time, sends the delayed data; later data stays corked.
func TestPushSendsWhatIsHeld(t *testing.T) {
	s := newScript(t).with(func(_ *Config, p *Params) { p.Cork, p.NoDelay = true, true }).established("mss 1000").write(100).quiet()
	s.c.Push()
	s.sends(segLine(1001, 100, "P")).write(100).quiet()
}
