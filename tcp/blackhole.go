package tcp

import "time"

// blackhole finds a path that swallows large segments without an ICMP error (RFC 4821 section 7.7): when full-sized
// segments time out again and again, smaller ones are tried.
type blackhole struct {
	mtu   int           // what we dare to send; 0: all that the path MTU allows
	until time.Duration // when to dare more again
	times uint8         // that a hole was suspected
}

// blackholeSteps are sizes of datagram that much of the world's tunnels and links let through.
var blackholeSteps = [...]int{1280, 1024, 576}

// A size is suspected after so many timeouts of one segment; and given another chance soon, for it may have been mere loss, or
// the link was cut, but ever later if it is suspected again.
const (
	blackholeRetries = 3
	blackholeMinAge  = 10 * time.Second
	blackholeMaxAge  = 10 * time.Minute // RFC 1191 section 6.3
)

// suspect follows the timeout of the segment at una, whose payload is size octets.
func (b *blackhole) suspect(now time.Duration, c *Conn, size int) {
	if c.snd.retries < blackholeRetries {
		return
	}
	datagram := c.effectiveMTU() - max(c.snd.mss-size, 0)
	for _, step := range blackholeSteps {
		if step < datagram {
			if b.mtu == 0 {
				b.times++
			}
			b.mtu, b.until = step, now+min(blackholeMinAge<<min(b.times-1, 8), blackholeMaxAge)
			c.updateMSS()
			return
		}
	}
}

// expire lets full-sized segments be tried again.
func (b *blackhole) expire(now time.Duration, c *Conn) {
	if b.mtu != 0 && b.until <= now {
		b.mtu = 0
		c.updateMSS()
	}
}

// effectiveMTU is the largest datagram the connection sends.
func (c *Conn) effectiveMTU() int {
	if c.blackhole.mtu != 0 {
		return min(c.mtu, c.blackhole.mtu)
	}
	return c.mtu
}
