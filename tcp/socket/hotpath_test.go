package socket

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
	"tunstack/internal/race"
	"tunstack/ip"
	"tunstack/tcp"
)

// stream is a peer whose segments cost no more than the copy into a buffer.
type stream struct {
	*peer
	data, ack []byte // datagrams with and without payload
	batch     packet.Batch
}

func newStream(p *peer, size int) *stream {
	return &stream{
		peer: p,
		data: datagram(p.at, p.to, p.segment(tcp.ACK|tcp.PSH, string(make([]byte, size)))),
		ack:  datagram(p.at, p.to, p.segment(tcp.ACK, "")),
	}
}

// in puts in one segment that acknowledges up to ack.
func (s *stream) in(b []byte, ack tcp.Seq, batch *packet.Batch) {
	header := len(s.ack) - 20
	binary.BigEndian.PutUint32(b[header+4:], uint32(s.seq))
	binary.BigEndian.PutUint32(b[header+8:], uint32(ack))
	p := packet.From(b)
	p.Offload.Checksum, p.Batch = packet.ChecksumValid, batch
	s.l.tun.Input(s.l.clk.Now(), p)
	s.seq = s.seq.Add(len(b) - len(s.ack))
}

// tick lets a millisecond pass.
func (s *stream) tick() {
	s.l.clk.Set(s.l.clk.Now() + time.Millisecond)
	s.l.timers.Advance(s.l.clk.Now())
}

// A segment costs no allocation, in either direction and either family.
func TestNoAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	buf := make([]byte, 20*1460)
	for _, tt := range []struct {
		name string
		size int
		step func(t *testing.T, s *stream)
	}{
		{"bulk in", 1460, func(t *testing.T, s *stream) {
			for range 10 {
				s.in(s.data, s.peer.ack, nil)
			}
			n, err := s.so.Read(buf, false)
			require.True(t, n == 14600 && err == nil)
		}},
		{"bulk in by batches", 1460, func(t *testing.T, s *stream) {
			for range 10 {
				s.in(s.data, s.peer.ack, &s.batch)
			}
			s.batch.Flush(s.l.clk.Now())
			n, err := s.so.Read(buf, false)
			require.True(t, n == 14600 && err == nil)
		}},
		{"bulk out", 0, func(t *testing.T, s *stream) {
			n, err := s.so.Write(buf[:14600], false)
			require.True(t, n == 14600 && err == nil)
			for range 5 {
				s.peer.ack = s.peer.ack.Add(2920)
				s.in(s.ack, s.peer.ack, nil)
			}
		}},
		{"echo of a byte", 1, func(t *testing.T, s *stream) {
			s.in(s.data, s.peer.ack, nil)
			n, err := s.so.Read(buf, false)
			require.True(t, n == 1 && err == nil)
			n, err = s.so.Write(buf[:1], false)
			require.True(t, n == 1 && err == nil)
			s.peer.ack++
		}},
		{"while the socket is locked", 1460, func(t *testing.T, s *stream) {
			s.so.mu.Lock()
			for range 4 {
				s.in(s.data, s.peer.ack, nil)
			}
			s.so.mu.Unlock()
			n, err := s.so.Read(buf, false)
			require.True(t, n == 4*1460 && err == nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for n := range 4 {
				f := []packet.Features{{}, {Checksum: true, TSO: 65535}}[n%2]
				l := newLabOf(t, []ip.Versions{ip.V4, ip.V6}[n/2], f)
				s := newStream(l.active(), tt.size)
				l.wire.Discard = true
				step := func() {
					tt.step(t, s)
					s.tick()
				}
				for range 200 { // until buffers and windows have their size
					step()
				}
				require.Zero(t, testing.AllocsPerRun(500, step))
				require.Equal(t, tcp.Established, s.so.Info().State)
				require.Zero(t, s.so.Info().TotalRetrans)
			}
		})
	}
}
