package tcp

import "time"

// blackhole finds a path that swallows large segments without an ICMP error (RFC 4821 section 7.7): when full-sized
// segments time out again and again, smaller ones are tried.
type blackhole struct {
	mtu   int           // what we dare to send; 0: all that the path MTU allows
	until time.Duration // when to dare more again
	times uint8         // that a hole was suspected
	took  uint16        // the largest datagram that has arrived since
}

// blackholeSteps are sizes of datagram that much of the world's tunnels and links let through.
var blackholeSteps = [...]int{1280, 1024, 576}

// A size is suspected after so many timeouts of one segment, twice as many if the path has taken it before: on a path that loses a
// quarter of all packets both ways three in a row are common. It is given another chance soon, for it may have been mere loss, or
// the link was cut, but ever later if it is suspected again.
const (
	blackholeRetries = 3
	blackholeMinAge  = 10 * time.Second
	blackholeMaxAge  = 10 * time.Minute // RFC 1191 section 6.3
)

// suspect follows the timeout of the segment at una, whose payload is size octets.
func (b *blackhole) suspect(now time.Duration, c *Conn, size int) {
	datagram, retries := c.datagram(size), blackholeRetries
	if datagram <= int(b.took) {
		retries *= 2
	}
	if c.snd.retries < retries {
		return
	}
	for _, step := range blackholeSteps {
		if step < datagram {
			if b.mtu == 0 {
				b.times++
				b.took = 0
			}
			b.mtu, b.until = step, now+min(blackholeMinAge<<min(b.times-1, 8), blackholeMaxAge)
			c.updateMSS()
			return
		}
	}
}

// arrived notes that the peer has size bytes that were sent together.
func (b *blackhole) arrived(c *Conn, size int) { b.took = max(b.took, uint16(c.datagram(size))) }

// datagram is the size of the largest datagram that carries a part of size bytes.
func (c *Conn) datagram(size int) int { return c.effectiveMTU() - max(c.snd.mss-size, 0) }

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
