package tcp

import "math"

// notsentStep is the number of bytes that a Write below TCP_NOTSENT_LOWAT may queue although they exceed it: a super-segment, as in Linux.
const notsentStep = 64 << 10

// notsentRoom is the number of bytes that TCP_NOTSENT_LOWAT allows to be written: 0 if so many bytes are unsent.
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

// belowLowat reports whether TCP_NOTSENT_LOWAT allows a writer to be woken.
func (c *Conn) belowLowat() bool { return c.mayWake(c.snd.unsent()) }

// mayWake is belowLowat with unsent bytes unsent: at most half of TCP_NOTSENT_LOWAT, as in Linux.
func (c *Conn) mayWake(unsent int) bool {
	return c.params.NotsentLowat == 0 || 2*unsent < c.params.NotsentLowat
}

// wakeNotsent wakes the writers that TCP_NOTSENT_LOWAT has blocked, after a transmission. before is the number of unsent bytes before it.
func (c *Conn) wakeNotsent(before int) {
	if !c.mayWake(before) && c.canWrite() {
		c.events |= Writable
	}
}
