package scenario

import (
	"bytes"
	"math/rand/v2"
	"time"

	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/tcp/sim/knock"
)

// joke returns the users of a knock-knock joke: the client, who tells it, and the server.
func joke(r *rand.Rand) [2]sim.User {
	return [2]sim.User{&client{turns: knock.Pick(r).Turns(), rand: r}, &server{}}
}

// client tells the joke, with a pause before each line, and closes when the server has.
type client struct {
	turns  [3]knock.Turn
	rand   *rand.Rand
	inbox  lines
	said   int
	at     time.Duration // when to say the next line; 0: not decided
	closed bool
}

// Act implements sim.User.
func (u *client) Act(now time.Duration, c *tcp.Conn) time.Duration {
	u.inbox.read(now, c)
	if !open(c) {
		return 0
	}
	if u.said < len(u.turns) && u.said == u.inbox.count {
		if u.at == 0 {
			u.at = now + 200*time.Millisecond + time.Duration(u.rand.Int64N(int64(400*time.Millisecond)))
		}
		if now < u.at {
			return u.at
		}
		say(now, c, u.turns[u.said].Say)
		u.said, u.at = u.said+1, 0
	}
	if c.AtEOF() && !u.closed {
		u.closed = true
		c.Close(now)
	}
	return 0
}

// server answers each line, and closes after the punch line.
type server struct {
	knock.Server
	inbox lines
	over  bool
}

// Act implements sim.User.
func (u *server) Act(now time.Duration, c *tcp.Conn) time.Duration {
	heard := u.inbox.read(now, c)
	if !open(c) {
		return 0
	}
	over := c.AtEOF()
	for _, line := range heard {
		answer, last := u.Hear(line)
		if over = over || last; !last {
			say(now, c, answer)
		}
	}
	if over && !u.over {
		u.over = true
		c.Close(now)
	}
	return 0
}

// open reports whether lines can be said.
func open(c *tcp.Conn) bool { s := c.State(); return s == tcp.Established || s == tcp.CloseWait }

func say(now time.Duration, c *tcp.Conn, line string) { c.Write(now, []byte(line+"\r\n")) }

// lines cuts what is received into lines.
type lines struct {
	rest  []byte // of a line whose end has not come yet
	count int    // of whole lines so far
}

// read returns the lines that have become whole, without their ends.
func (l *lines) read(now time.Duration, c *tcp.Conn) (whole []string) {
	var b [256]byte
	for c.Readable() > 0 {
		l.rest = append(l.rest, b[:c.Read(now, b[:])]...)
	}
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return whole
		}
		whole, l.rest, l.count = append(whole, string(bytes.TrimRight(line, "\r"))), rest, l.count+1
	}
}
