package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"tunstack/tcp"
)

// Stream is a User that sends bytes which depend on their offset, and checks that those received are its peer's.
type Stream struct {
	Key    uint32        // selects the bytes to send
	Peer   uint32        // the key of the peer
	Size   int           // bytes to send
	Chunk  int           // bytes of one write; 0: all that fits
	Every  time.Duration // between writes
	Urgent []int         // offsets of the bytes to be sent as urgent, in order
	Inline bool          // the peer's urgent bytes stay in the stream (Params.OOBInline)

	ReadChunk int           // bytes of one read; 0: all available
	ReadEvery time.Duration // between reads
	Stall     Cut           // when not to read

	Close   Closing
	AbortAt time.Duration                        // 0: never
	Change  func(now time.Duration, c *tcp.Conn) // if not nil, called at each Act

	Sent, Got int   // bytes written and read so far
	EOF       bool  // the end of the peer's stream was read
	Err       error // if the bytes received are not those sent

	now             time.Duration
	next            time.Duration
	writeAt, readAt time.Duration
	shut            bool
	buf             []byte
}

// Closing is the way in which a Stream ends.
type Closing uint8

const (
	HalfClose Closing = iota // shuts down writing when all is sent, and continues to read
	AfterEOF                 // closes when the peer has, and all is sent
	GiveUp                   // closes when all is sent, even if the peer has not finished
)

// String describes the user and its progress.
func (u *Stream) String() string {
	return fmt.Sprintf("sends %d of %d by %d every %v, %d urgent left; has %d, reads by %d every %v, not in %v; closing %d, abort at %v",
		u.Sent, u.Size, u.Chunk, u.Every, len(u.Urgent), u.Got, u.ReadChunk, u.ReadEvery, u.Stall, u.Close, u.AbortAt)
}

// pattern repeats in all streams. Its length is prime, so that bytes a power of two apart differ.
var pattern = func() (b [65521]byte) {
	r := rand.NewChaCha8([32]byte{})
	r.Read(b[:])
	return b
}()

// at returns a piece of the stream with the given key, from the offset i to the end of pattern.
func at(key uint32, i int) []byte { return pattern[(i+int(key)*7919)%len(pattern):] }

// Act implements User.
func (u *Stream) Act(now time.Duration, c *tcp.Conn) time.Duration {
	u.now, u.next = now, 0
	if u.AbortAt != 0 {
		if now >= u.AbortAt {
			c.Abort(now)
			return 0
		}
		u.again(u.AbortAt)
	}
	if u.Change != nil {
		u.Change(now, c)
	}
	u.read(c)
	if s := c.State(); s == tcp.Established || s == tcp.CloseWait {
		u.write(c)
		u.finish(c)
	} else if u.Close == AfterEOF && c.AtEOF() || u.Close == GiveUp {
		u.finish(c)
	}
	return u.next
}

// again makes the user act at the time at, or earlier.
func (u *Stream) again(at time.Duration) {
	if at > u.now && (u.next == 0 || at < u.next) {
		u.next = at
	}
}

func (u *Stream) read(c *tcp.Conn) {
	if u.Stall.From <= u.now && u.now < u.Stall.To {
		u.again(u.Stall.To)
		return
	}
	if u.buf == nil {
		u.buf = make([]byte, 64<<10)
	}
	for c.Readable() > 0 {
		if u.now < u.readAt {
			u.again(u.readAt)
			return
		}
		p := u.buf
		if u.ReadChunk > 0 {
			p = p[:min(u.ReadChunk, len(p))]
		}
		if c.AtMark() && !u.Inline { // the urgent byte is not in the stream
			u.Got++
		}
		n := c.Read(u.now, p)
		u.verify(p[:n])
		u.readAt = u.now + u.ReadEvery
	}
	u.EOF = u.EOF || c.AtEOF() && c.PeerClosed()
}

func (u *Stream) verify(p []byte) {
	for len(p) > 0 {
		want := at(u.Peer, u.Got)
		n := min(len(p), len(want))
		if !bytes.Equal(p[:n], want[:n]) && u.Err == nil {
			u.Err = fmt.Errorf("the bytes from %d to %d of the stream are not those sent", u.Got, u.Got+n)
		}
		u.Got += n
		p = p[n:]
	}
}

func (u *Stream) write(c *tcp.Conn) {
	for u.Sent < u.Size {
		if u.now < u.writeAt {
			u.again(u.writeAt)
			return
		}
		p := at(u.Key, u.Sent)
		p = p[:min(u.Size-u.Sent, len(p))]
		if u.Chunk > 0 {
			p = p[:min(u.Chunk, len(p))]
		}
		if len(u.Urgent) > 0 {
			p = p[:max(min(u.Urgent[0]+1-u.Sent, len(p)), 0)]
		}
		n := u.put(c, p)
		if n == 0 {
			return
		}
		u.Sent += n
		u.writeAt = u.now + u.Every
	}
}

// put writes p, whose last byte may be urgent.
func (u *Stream) put(c *tcp.Conn, p []byte) int {
	if len(u.Urgent) == 0 || u.Urgent[0] != u.Sent+len(p)-1 {
		return c.Write(u.now, p)
	}
	n := c.WriteUrgent(u.now, p)
	if n == len(p) {
		u.Urgent = u.Urgent[1:]
	}
	return n
}

// finish closes as Close requires.
func (u *Stream) finish(c *tcp.Conn) {
	if u.shut || u.Sent < u.Size {
		return
	}
	switch {
	case u.Close == HalfClose:
		c.CloseWrite(u.now)
	case u.Close == AfterEOF && !c.AtEOF():
		return
	default:
		c.Close(u.now)
	}
	u.shut = true
}
