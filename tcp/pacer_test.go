package tcp

import (
	"testing"
	"time"
)

// TCP-240: a bound on the pacing rate spreads a burst that the window allows: 1000 bytes at 100 kB/s take 10 ms.
func TestMaxPacingRate(t *testing.T) {
	for _, algorithm := range []string{"reno", "cubic"} {
		s := newScript(t).with(func(_ *Config, p *Params) { p.MaxPacingRate, p.Congestion = 100_000, algorithm }).established("mss 1000")
		s.write(5000).sends(". seq 1001:2001(1000) ack 5001 win 65535")
		s.after(10 * time.Millisecond).sends(". seq 2001:3001(1000) ack 5001 win 65535")
		s.after(10 * time.Millisecond).sends(". seq 3001:4001(1000) ack 5001 win 65535").quiet()
		s.do(func(c *Conn, now time.Duration) { // the new bound applies at once
			p := c.Params()
			p.MaxPacingRate = 1_000_000
			c.SetParams(now, &p)
		})
		s.sends(". seq 4001:5001(1000) ack 5001 win 65535").after(time.Millisecond)
		s.sends("P. seq 5001:6001(1000) ack 5001 win 65535")
	}
}
