package socketapi

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/checksum"
	"tunstack/ip"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// wire is a stack at 10.0.0.2 whose only link ends in the test: the test sees every datagram and injects its own, as 10.0.0.1
// or as any other host. Time is virtual and all sockets are non-blocking.
type wire struct {
	host
	clk  VirtualClock
	sent [][]byte
}

func newWire(t *testing.T, change ...func(*Config)) *wire {
	w := &wire{}
	cfg := Config{Clock: &w.clk, Interfaces: []Interface{{
		Addrs: []netip.Prefix{netip.PrefixFrom(addrB, 24)}, Gateway: addrA,
		Output: func(_ time.Duration, d []byte) { w.sent = append(w.sent, bytes.Clone(d)) },
	}}}
	for _, f := range change {
		f(&cfg)
	}
	w.host = newHost(t, cfg)
	return w
}

// frame is a TCP segment in its datagram.
type frame struct {
	ip ipv4.Header
	tcp.Segment
}

func (f frame) String() string { return f.Segment.String() }

// take returns the segments sent since the last call, whose checksums it verifies (TCP-003).
func (w *wire) take() []frame {
	w.t.Helper()
	var frames []frame
	for _, d := range w.sent {
		var f frame
		require.True(w.t, f.ip.Parse(d))
		if f.ip.Protocol != ip.ProtocolTCP {
			continue
		}
		b, dst := d[f.ip.Len():], f.ip.Dst.As4()
		if n := len(f.ip.Options); n >= 8 { // by a source route, whose last hop is the destination
			dst = [4]byte(f.ip.Options[n-5:])
		}
		require.Equal(w.t, uint16(0xffff), checksum.Sum(b, checksum.Pseudo(f.ip.Src, netip.AddrFrom4(dst), ip.ProtocolTCP, len(b))))
		require.NoError(w.t, f.Parse(b))
		frames = append(frames, f)
	}
	w.sent = nil
	return frames
}

// one is the only segment sent since the last call.
func (w *wire) one() frame {
	w.t.Helper()
	frames := w.take()
	require.Len(w.t, frames, 1)
	return frames[0]
}

// silent requires that no datagram was sent.
func (w *wire) silent(about ...any) {
	w.t.Helper()
	require.Empty(w.t, w.sent, about...)
}

// after lets d pass.
func (w *wire) after(d time.Duration) { w.Advance(w.Now() + d) }

// ipPacket is an IP datagram as it arrives, with options if there are any.
func ipPacket(src, dst netip.Addr, protocol uint8, options, payload []byte) []byte {
	n := 20 + (len(options)+3)&^3
	b := make([]byte, n, n+len(payload))
	b[0], b[8], b[9] = 4<<4|byte(n/4), 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(n+len(payload)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	copy(b[20:], options)
	checksum.Put(b[10:], ^checksum.Sum(b, 0))
	return append(b, payload...)
}

// segment is a TCP segment with its checksum.
func segment(src, dst netip.Addr, s tcp.Segment) []byte {
	b := make([]byte, s.HeaderLen())
	s.PutHeader(b)
	b = append(b, s.Payload...)
	checksum.Put(b[16:], ^checksum.Sum(b, checksum.Pseudo(src, dst, ip.ProtocolTCP, len(b))))
	return b
}

func (w *wire) inject(d []byte) { require.NoError(w.t, w.Inject("link0", d)) }

// recv injects a segment from 10.0.0.1.
func (w *wire) recv(s tcp.Segment) {
	w.inject(ipPacket(addrA, addrB, ip.ProtocolTCP, nil, segment(addrA, addrB, s)))
}

// recvError injects an ICMP error that quotes the start of a datagram sent.
func (w *wire) recvError(kind, code byte, mtu uint16, sent frame) {
	quoted := segment(sent.ip.Src, sent.ip.Dst, sent.Segment)[:8]
	b := []byte{kind, code, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}
	b = append(b, ipPacket(sent.ip.Src, sent.ip.Dst, sent.ip.Protocol, nil, quoted)...)
	checksum.Put(b[2:], ^checksum.Sum(b, 0))
	w.inject(ipPacket(addrA, addrB, ip.ProtocolICMP, nil, b))
}

func (w *wire) listen(addr string) int {
	w.t.Helper()
	fd := w.bound(SOCK_STREAM|SOCK_NONBLOCK, addr)
	require.NoError(w.t, w.Listen(fd, 8))
	return fd
}

// dial starts an active open and returns the SYN.
func (w *wire) dial(to string) (int, frame) {
	w.t.Helper()
	fd := w.socket(SOCK_STREAM|SOCK_NONBLOCK, 0)
	require.Equal(w.t, syscall.EINPROGRESS, w.Connect(fd, ap(to)))
	return fd, w.one()
}

// peer is the test's end of a connection, with its next sequence numbers.
type peer struct {
	w        *wire
	fd       int // the host's socket
	seq, ack tcp.Seq
	src, dst uint16
}

// connected opens a connection from the host to port 9 of 10.0.0.1, which announces an MSS of 1460 and no other options.
func (w *wire) connected() *peer {
	w.t.Helper()
	fd, syn := w.dial("10.0.0.1:9")
	p := &peer{w: w, fd: fd, seq: 5000, ack: syn.Seq + 1, src: 9, dst: syn.SrcPort}
	p.sends(tcp.SYN|tcp.ACK, "", tcp.Options{MSS: 1460})
	p.seq++
	require.Equal(w.t, tcp.ACK, w.one().Flags)
	return p
}

// sends injects a segment from the peer.
func (p *peer) sends(flags tcp.Flags, payload string, options ...tcp.Options) {
	s := tcp.Segment{SrcPort: p.src, DstPort: p.dst, Flags: flags, Seq: p.seq, Ack: p.ack, Wnd: 65535, Payload: []byte(payload)}
	if len(options) > 0 {
		s.Options = options[0]
	}
	p.w.recv(s)
	p.seq = p.seq.Add(len(payload))
}

// acks injects an acknowledgment of all segments sent since the last call, and returns these.
func (p *peer) acks() []frame {
	p.w.t.Helper()
	frames := p.w.take()
	require.NotEmpty(p.w.t, frames)
	p.ack = frames[len(frames)-1].End()
	p.sends(tcp.ACK, "")
	return frames
}
