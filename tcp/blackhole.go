package tcp

import "time"

// blackhole detects a path that drops large datagrams without an ICMP error (RFC 4821 section 7.7). If full-sized segments time out repeatedly, it
// reduces the size of segments.
type blackhole struct {
	mtu   int           // size of the largest datagram while a black hole is suspected, in bytes; 0: none is
	until time.Duration // end of the suspicion
	times uint8         // number of suspicions
	took  uint16        // the largest datagram that has arrived since the last suspicion, in bytes
}

// blackholeSteps are sizes of datagrams in bytes that most tunnels and links carry. Only the first is allowed over IPv6.
var blackholeSteps = [...]int{1280, 1024, 576}

// A size is suspected after so many timeouts of one segment, and after twice as many if the path has carried that size: on a path that loses a
// quarter of all packets in both directions, three timeouts in a row are common. The first suspicion ends soon, because ordinary loss or an outage
// may have caused it; each further one lasts twice as long.
const (
	blackholeRetries = 3
	blackholeMinAge  = 10 * time.Second
	blackholeMaxAge  = 10 * time.Minute // RFC 1191 section 6.3
)

// suspect follows a timeout of the segment at SND.UNA, whose payload is size bytes.
func (b *blackhole) suspect(now time.Duration, c *Conn, size int) {
	datagram, retries := c.datagram(size), blackholeRetries
	if datagram <= int(b.took) {
		retries *= 2
	}
	if c.snd.retries < retries {
		return
	}
	for _, step := range blackholeSteps {
		if step < datagram && step >= leastMTU(int(c.netHeader)) {
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

// arrived notes that a flight of size bytes has arrived.
func (b *blackhole) arrived(c *Conn, size int) { b.took = max(b.took, uint16(c.datagram(size))) }

// datagram is the size of the largest datagram of a flight of size bytes.
func (c *Conn) datagram(size int) int { return c.effectiveMTU() - max(c.snd.mss-size, 0) }

// expire allows full-sized segments again when the suspicion ends.
func (b *blackhole) expire(now time.Duration, c *Conn) {
	if b.mtu != 0 && b.until <= now {
		b.mtu = 0
		c.updateMSS()
	}
}

// effectiveMTU is the size of the largest datagram that the connection sends, in bytes.
func (c *Conn) effectiveMTU() int {
	if c.blackhole.mtu != 0 {
		return min(c.mtu, c.blackhole.mtu)
	}
	return c.mtu
}
