// Package replay passes the segments of one end of a recorded TCP connection to this project's machine, at their recorded times, and
// compares the answers with the recorded ones.
package replay

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"tunstack/tcp"
	"tunstack/trace"
)

// Connection is a recorded TCP connection.
type Connection struct {
	Own, Peer netip.AddrPort // Own is the end that the machine plays
	segments  []segment
}

// segment is a segment that was recorded, or that the machine has sent.
type segment struct {
	tcp.Segment
	at    time.Duration // since the first of the connection
	own   bool
	state tcp.State // of the machine when it sent it
}

// Source reads captured segments, whose payload stays valid; a capture.Reader is one. NextSegment returns io.EOF after the last.
type Source interface {
	NextSegment() (trace.Captured, error)
}

// Load reads the connections of a capture, of which match selects one that must begin with its SYN. as selects the end that the
// machine plays, ADDR or ADDR:PORT. If as is empty, that is the end of the capturing host if the capture names it, otherwise the
// end that received the SYN.
func Load(in Source, match trace.Match, as string) (*Connection, error) {
	own, err := trace.ParseMatch(as)
	if err != nil {
		return nil, err
	}
	l := loader{match: match}
	for {
		s, err := in.NextSegment()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) { // an interrupted recording ends in the middle of a packet
			break
		}
		if err != nil {
			return nil, err
		}
		if err := l.add(&s); err != nil {
			return nil, err
		}
	}
	found, err := l.only()
	if err != nil {
		return nil, err
	}
	switch {
	case as == "" && !found.out, as != "" && own(found.dst, found.dst):
		return found.played(found.dst, found.src), nil
	case as == "" || own(found.src, found.src):
		return found.played(found.src, found.dst), nil
	}
	return nil, fmt.Errorf("%s is not an end of the connection from %s to %s", as, found.src, found.dst)
}

// loader collects connections.
type loader struct {
	match trace.Match
	conns []*recorded
}

// recorded is a connection whose SYN went from src to dst.
type recorded struct {
	src, dst netip.AddrPort
	out      bool // the capturing host is src
	start    time.Time
	iss      tcp.Seq
	over     bool // another connection has begun between the same ends
	segments []segment
}

// add adds a segment to its connection. A segment of a connection without its SYN is left out.
func (l *loader) add(p *trace.Captured) error {
	if !l.match(p.Src, p.Dst) {
		return nil
	}
	if p.Cut {
		return errors.New("the capture has only the beginnings of packets; record whole ones (tcpdump -s 0)")
	}
	s := p.Segment
	c := l.find(p.Src, p.Dst)
	if s.Flags&(tcp.SYN|tcp.ACK) == tcp.SYN && (c == nil || p.Src != c.src || s.Seq != c.iss) {
		if c != nil {
			c.over = true
		}
		c = &recorded{src: p.Src, dst: p.Dst, out: p.Out, start: p.At, iss: s.Seq}
		l.conns = append(l.conns, c)
	}
	if c != nil {
		c.segments = append(c.segments, segment{Segment: s, at: max(p.At.Sub(c.start), 0), own: p.Src == c.src})
	}
	return nil
}

func (l *loader) find(src, dst netip.AddrPort) *recorded {
	for _, c := range l.conns {
		if !c.over && (c.src == src && c.dst == dst || c.src == dst && c.dst == src) {
			return c
		}
	}
	return nil
}

// shownConns is the number of connections that an error names.
const shownConns = 5

// only returns the connection if there is exactly one.
func (l *loader) only() (*recorded, error) {
	switch len(l.conns) {
	case 0:
		return nil, errors.New("no TCP connection was recorded from its SYN on")
	case 1:
		return l.conns[0], nil
	}
	var names []string
	for _, c := range l.conns[:min(len(l.conns), shownConns)] {
		names = append(names, c.src.String())
	}
	if len(l.conns) > shownConns {
		names = append(names, "...")
	}
	return nil, fmt.Errorf("the capture has %d connections; select one with --conn: from %s", len(l.conns), strings.Join(names, ", "))
}

// played returns the connection as seen from one of its ends.
func (c *recorded) played(own, peer netip.AddrPort) *Connection {
	for i := range c.segments {
		s := &c.segments[i]
		s.own = s.own == (own == c.src)
	}
	return &Connection{own, peer, c.segments}
}
