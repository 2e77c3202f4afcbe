package tcp

import "math"

// notsentStep is how much a writer may queue at once although that passes TCP_NOTSENT_LOWAT: a super-segment, as in Linux.
const notsentStep = 64 << 10

// notsentRoom is how many bytes TCP_NOTSENT_LOWAT lets a writer queue: none while as many have not been sent.
func (c *Conn) notsentRoom() int {
	low, unsent := c.params.NotsentLowat, c.snd.unsent()
	switch {
	case low == 0:
		return math.MaxInt
	case unsent >= low:
		return 0
	}
	return max(low-unsent, notsentStep)
}

// belowLowat says whether TCP_NOTSENT_LOWAT lets a writer be woken: at half of it, as in Linux.
func (c *Conn) belowLowat() bool { return c.mayWake(c.snd.unsent()) }

func (c *Conn) mayWake(unsent int) bool {
	return c.params.NotsentLowat == 0 || 2*unsent < c.params.NotsentLowat
}

// wakeNotsent wakes a writer whom TCP_NOTSENT_LOWAT has held back, when sending has reduced what was not sent.
func (c *Conn) wakeNotsent(before int) {
	if !c.mayWake(before) && c.canWrite() {
		c.events |= Writable
	}
}
