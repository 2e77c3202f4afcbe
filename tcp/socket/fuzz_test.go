package socket

import (
	"testing"
	"time"

	"tunstack/internal/packet"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// FuzzInput lets segments of all kinds, time and a user's calls meet a listener that is soon crowded and the connections it
// makes, of three remote ends. Nothing may be left of them in the end.
func FuzzInput(f *testing.F) {
	const syn, ack, fin, rst = 0x02, 0x10, 0x11, 0x04
	f.Add([]byte{0, syn, 0, 0, 0, 0, ack, 1, 1, 5, 4, 0, ack, 6, 1, 5, 0, fin, 11, 1, 0, 5})
	f.Add([]byte{0, syn, 0, 0, 0, 1, syn, 0, 0, 0, 2, syn, 0, 0, 0, 1, ack, 1, 1, 0, 4, 7, 3, 200, 0, rst, 1, 0, 0})
	f.Add([]byte{0, syn, 0, 0, 200, 0, ack, 1, 1, 0, 4, 5, 0, ack, 1, 2, 0, 0, fin, 1, 2, 0, 3, 90, 0, syn, 9, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLab(t, func(c *Config) { c.MaxHalfOpen = 2 })
		z := fuzzer{lab: l, listener: l.listen(here, 1), rest: b}
		for len(z.rest) > 0 {
			z.step()
		}
		z.listener.Abort()
		for _, so := range z.accepted {
			so.Abort()
		}
		l.after(3 * time.Hour)
		l.empty()
	})
}

type fuzzer struct {
	*lab
	listener *Socket
	accepted []*Socket
	iss      [3]tcp.Seq // of the listener's side, by remote end
	rest     []byte
}

func (z *fuzzer) next() int {
	if len(z.rest) == 0 {
		return 0
	}
	b := z.rest[0]
	z.rest = z.rest[1:]
	return int(b)
}

func (z *fuzzer) step() {
	switch op := z.next() % 8; op {
	case 0, 1, 2:
		z.segment(op)
	case 3:
		z.after(time.Duration(z.next()) * time.Second)
	case 4, 5:
		z.user(op == 5)
	case 6:
		z.raw(z.next())
	case 7:
		z.Sockets()
	}
	for _, f := range z.take() {
		if f.Flags.Has(tcp.SYN) {
			z.iss[int(f.ip.Dst.AsSlice()[3])] = f.Seq
		}
	}
}

// segment comes from one of the remote ends, near to where its connection is.
func (z *fuzzer) segment(from int) {
	s := tcp.Segment{Flags: tcp.Flags(z.next()), Seq: 5000 + tcp.Seq(z.next()), Wnd: 1000}
	s.Ack = z.iss[from].Add(z.next())
	s.Payload = make([]byte, z.next())
	s.CE = len(s.Payload)%2 == 1
	z.recv(client(from), here, s)
}

// raw takes the rest of the input as a segment.
func (z *fuzzer) raw(n int) {
	n = min(n, len(z.rest))
	h := ipv4.Header{Datagram: ip.Datagram{Src: client(0).Addr(), Dst: here.Addr()}}
	p := packet.From(z.rest[:n])
	z.rest = z.rest[n:]
	p.Offload.Checksum = packet.ChecksumValid
	z.Input(z.clk.Now(), &h.Datagram, p)
}

// user accepts a connection, or does something with the last one.
func (z *fuzzer) user(accept bool) {
	if accept {
		if so, err := z.listener.Accept(); err == nil {
			z.accepted = append(z.accepted, so)
		}
		return
	}
	if len(z.accepted) == 0 {
		return
	}
	so := z.accepted[len(z.accepted)-1]
	switch n := z.next(); n % 6 {
	case 0:
		_, _ = so.Read(make([]byte, n), false)
	case 1:
		_, _ = so.Write(make([]byte, n), n%4 == 1)
	case 2:
		_ = so.Shutdown(n%4 == 2, n%8 > 3)
	case 3:
		_ = so.Close()
	case 4:
		_, _ = so.WriteUrgent(make([]byte, n))
	case 5:
		so.Ready()
	}
}
