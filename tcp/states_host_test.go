package tcp_test

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tunstack/internal/checksum"
	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/internal/poll"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
	tcpsocket "tunstack/tcp/socket"
)

// host is a stack with one socket in virtual time, with its user and the wire. Sequence numbers are
// relative to their values when the event happened: S is SND.NXT, U SND.UNA, R RCV.NXT, E the right edge of our window.
type host struct {
	t       *testing.T
	clk     clock.Virtual
	timers  timer.Queue
	ip      *ip.Stack
	tun     *ip.Interface
	d       *tcpsocket.Stack
	e       *tcpsocket.Socket // the user's socket
	waits   bool              // for Accept
	prelude func()

	sent       []tcp.Segment
	port       uint16 // our own
	wnd        uint16 // the peer's window
	s, u, r, w tcp.Seq
}

var hostAddr, peerAddr = netip.MustParseAddrPort("10.0.0.2:7"), netip.MustParseAddrPort("10.0.0.1:1000")

func newHost(t *testing.T) *host {
	h := &host{t: t, port: hostAddr.Port(), wnd: 64240, s: 77777, u: 77777, r: 5001, w: 5001 + 65535}
	h.ip = ip.New(ip.Config{Timers: &h.timers})
	ipv4.New(h.ip, ipv4.Config{})
	h.d = tcpsocket.New(h.ip, tcpsocket.Config{Clock: &h.clk, Timers: &h.timers, Rand: rand.NewChaCha8([32]byte{1}),
		Config: tcp.Config{NoTimestamps: true, NoSACK: true, NoWindowScale: true}})
	var err error
	h.tun, err = h.ip.AddInterface("tun0", h)
	require.NoError(t, err)
	require.NoError(t, h.tun.AddAddress(netip.PrefixFrom(hostAddr.Addr(), 24)))
	h.e = h.d.NewSocket(ip.V4)
	return h
}

// Output makes the host its own link.
func (h *host) Output(_ time.Duration, p *packet.Buffer, _ netip.Addr) error {
	p = p.Own()
	defer p.Free()
	var ip ipv4.Header
	var s tcp.Segment
	require.True(h.t, ip.Parse(p.Bytes()))
	require.NoError(h.t, s.Parse(append([]byte(nil), p.Bytes()[ip.Len():]...)))
	h.sent = append(h.sent, s)
	return nil
}

func (h *host) MTU() int                  { return 1500 }
func (h *host) Features() packet.Features { return packet.Features{} }

// after lets d pass.
func (h *host) after(d time.Duration) {
	h.timers.Follow(h.clk.Now(), h.clk.Now()+d, h.clk.Set)
}

// reach brings the socket to a state by the shortest way.
func (h *host) reach(in states) {
	h.e.SetParams(func(p *tcp.Params) { p.NoDelay = true })
	if in&(passive|listen) != 0 {
		require.NoError(h.t, h.e.Bind(hostAddr))
		require.NoError(h.t, h.e.Listen(1))
		h.waits = true
	}
	if in&(none|handshake) != 0 && h.prelude != nil {
		h.prelude()
	}
	switch {
	case in&none != 0:
	case in == passive:
		h.recv("S R-1")
	default:
		require.ErrorIs(h.t, h.e.Connect(peerAddr), syscall.EINPROGRESS)
		h.learn()
		h.beyondSynSent(in)
	}
	h.learn()
	h.sent = nil
}

func (h *host) beyondSynSent(in states) {
	switch {
	case in == crossed:
		h.recv("S R-1")
	case in&synced != 0:
		h.recv("S. R-1 ack S")
		if h.prelude != nil {
			h.prelude()
		}
		h.learn()
		h.beyondEstablished(in)
	}
}

func (h *host) beyondEstablished(in states) {
	if in&(closeWait|lastAck) != 0 {
		h.recv("F. R ack U")
	}
	if in&(finWait1|finWait2|closing|lastAck|timeWait) != 0 {
		require.NoError(h.t, h.e.Shutdown(false, true))
	}
	h.learn()
	switch in {
	case finWait2:
		h.recv(". R ack S")
	case closing:
		h.recv("F. R ack U")
	case timeWait:
		h.recv("F. R ack S")
	}
}

// learn takes the variables from the segments sent since.
func (h *host) learn() {
	for _, s := range h.sent {
		if s.Flags.Has(tcp.SYN) {
			h.u = s.Seq
		}
		h.port = s.SrcPort
		h.s = s.End()
		if s.Flags.Has(tcp.ACK) {
			h.r, h.w = s.Ack, s.Ack.Add(int(s.Wnd))
		}
	}
	h.sent = nil
}

var segmentRE = regexp.MustCompile(`^(\S+) ([RE])([+-]\d+)?(?:\((\d+)\))?(?: ack ([SU])([+-]\d+)?)?(?: urg (\d+))?$`)

// recv delivers a segment: flags, sequence number (length), acknowledgment, urgent pointer.
func (h *host) recv(line string) {
	m := segmentRE.FindStringSubmatch(line)
	require.NotNil(h.t, m, line)
	num := func(s string) int {
		n, _ := strconv.Atoi(s)
		return n
	}
	s := tcp.Segment{SrcPort: peerAddr.Port(), DstPort: h.port, Wnd: h.wnd, Urg: uint16(num(m[7])), Payload: make([]byte, num(m[4]))}
	for _, c := range m[1] {
		if i := strings.IndexRune("FSRP.UEW", c); i >= 0 && m[1] != "none" {
			s.Flags |= 1 << i
		}
	}
	s.Seq = map[string]tcp.Seq{"R": h.r, "E": h.w}[m[2]].Add(num(m[3]))
	if m[5] != "" {
		s.Ack = map[string]tcp.Seq{"S": h.s, "U": h.u}[m[5]].Add(num(m[6]))
	}
	if s.Flags.Has(tcp.ACK) && h.u.Less(s.Ack) && s.Ack.LessEq(h.s) {
		defer func() { h.u = s.Ack }()
	}
	h.input(s)
}

func (h *host) input(s tcp.Segment) {
	n := s.HeaderLen()
	b := make([]byte, ipv4.HeaderLen+n, ipv4.HeaderLen+n+len(s.Payload))
	s.PutHeader(b[ipv4.HeaderLen:])
	b = append(b, s.Payload...)
	src, dst := peerAddr.Addr().As4(), hostAddr.Addr().As4()
	t := b[ipv4.HeaderLen:]
	checksum.Put(t[16:], ^checksum.Sum(t, checksum.Pseudo(peerAddr.Addr(), hostAddr.Addr(), ip.ProtocolTCP, len(t))))
	b[0], b[8], b[9] = 4<<4|5, 64, ip.ProtocolTCP
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	checksum.Put(b[10:], ^checksum.Sum(b[:ipv4.HeaderLen], 0))
	h.tun.Input(h.clk.Now(), packet.From(b))
}

// state is the state of the connection or the listener, under the RFC's name.
func (h *host) state() string {
	state := "CLOSED"
	for _, row := range h.d.Sockets() {
		if row.State != "LISTEN" {
			return strings.NewReplacer("SYN-RECV", "SYN-RECEIVED", "ESTAB", "ESTABLISHED").Replace(row.State)
		}
		state = row.State
	}
	return state
}

// took is the segments sent, with relative numbers. The SYN that answers a SYN in LISTEN sets S.
func (h *host) took() string {
	var lines []string
	for _, s := range h.sent {
		if s.Flags.Has(tcp.SYN) {
			h.s = s.Seq + 1
		}
		line := s.Flags.String() + " " + relative("S", s.Seq, h.s)
		if n := s.DataLen(); n > 0 {
			line += fmt.Sprintf("(%d)", n)
		}
		if s.Flags.Has(tcp.ACK) {
			line += " ack " + relative("R", s.Ack, h.r)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func relative(name string, seq, base tcp.Seq) string {
	switch n := seq.Sub(base); {
	case n == 0:
		return name
	case n > -200_000 && n < 200_000 && seq != 0:
		return fmt.Sprintf("%s%+d", name, n)
	}
	return fmt.Sprint(uint32(seq))
}

// sees is the results of the user's calls to accept, to read, and to fetch a pending error.
func (h *host) sees() string {
	var b []string
	if h.waits {
		child, err := h.e.Accept()
		if err != nil {
			return "nothing to accept"
		}
		h.e, h.waits = child, false
		b = append(b, "accepts")
	}
	if h.e.Ready()&poll.Pri != 0 {
		b = append(b, "urgent")
	}
	n, err := h.e.Read(make([]byte, 100), false)
	b = append(b, did(n, err))
	if err := h.e.TakeError(); err != nil {
		b = append(b, did(0, err))
	}
	return strings.Join(b, ", ")
}

// did is the result of a call as a word.
func did(n int, err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	case n > 0:
		return fmt.Sprintf("%d bytes", n)
	}
	return "end"
}

// usual is the results for the user of a socket in a state without events.
func (h *host) usual(in states, after string) string {
	i := bits.Len16(uint16(in))
	switch {
	case in == closed:
		return "ENOTCONN"
	case in&(listen|passive) != 0:
		return "nothing to accept"
	case after == "CLOSED" || i >= bits.Len16(uint16(closeWait)) || after == "CLOSE-WAIT" || after == "CLOSING" || after == "TIME-WAIT":
		return "end"
	}
	return "EAGAIN"
}
