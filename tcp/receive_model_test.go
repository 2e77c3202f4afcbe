package tcp

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/internal/packet"
)

// model is the expected state of a receiver, byte by byte, while segments with all kinds of overlaps arrive.
type model struct {
	*script
	r     *rand.Rand
	have  []bool // the bytes of the stream that have arrived
	nxt   int    // the first byte that has not
	read  int    // the next byte that the user reads
	shut  bool
	limit int  // the end of the readable stream, if shut
	fin   bool // the end is known
	bound int  // bound of the memory of received bytes
}

const modelFirst = Seq(5001)

func newModel(t *testing.T, seed uint64) *model {
	m := &model{r: rand.New(rand.NewPCG(seed, 1))}
	m.have = make([]bool, 20_000+m.r.IntN(100_000))
	buffer := 3000 + m.r.IntN(60_000)
	m.bound = max(maxWaste*buffer, leastWaste) + 70_000 // and one segment that exceeds it
	m.script = newScript(t).with(func(g *Config, p *Params) { g.NoSACK, p.RcvBuf, p.OOBInline = false, buffer, true })
	m.established("mss 1460,sackOK")
	return m
}

// seq is the sequence number of byte i.
func (m *model) seq(i int) Seq { return theirs.wire(modelFirst.Add(i)) }

// segment draws bytes near the expected ones, in a Buffer that they fill or not.
func (m *model) segment() *Segment {
	from := max(m.nxt+m.r.IntN(8000)-2000, 0)
	if m.r.IntN(3) == 0 {
		from = m.nxt
	}
	from = min(from, len(m.have))
	size := [...]int{1, 30, 1460, 5000, 40_000}[m.r.IntN(5)]
	end := min(from+1+m.r.IntN(size), len(m.have))
	s := &Segment{Flags: ACK, Seq: m.seq(from), Ack: ours.wire(testISS + 1), Wnd: 64240}
	if end == len(m.have) {
		s.Flags |= FIN
	}
	if m.r.IntN(8) == 0 {
		s.Flags, s.Urg = s.Flags|URG, uint16(1+m.r.IntN(3000))
	}
	b := packet.New(max(end-from, m.r.IntN(12_000)))
	copy(b.Extend(end-from), pattern(modelFirst.Add(from), end-from))
	s.Payload, s.Buffer = b.Bytes(), b
	return s
}

// receive updates the model by a segment, and checks what the connection accepted and acknowledged.
func (m *model) receive(s *Segment) {
	edge, dropped := m.c.rcv.edge, m.c.cfg.Stats.DropTooManyBlocks.Value()
	m.c.Input(m.now, s)
	if s.Buffer != nil {
		s.Buffer.Free()
	}
	if m.c.cfg.Stats.DropTooManyBlocks.Value() == dropped {
		for i := range s.Payload {
			if q := s.Seq.Add(i); m.seq(0).LessEq(q) && q.Less(edge) {
				m.have[q.Sub(m.seq(0))] = true
			}
		}
		m.fin = m.fin || s.Flags.Has(FIN) && s.End().Add(-1).LessEq(edge)
	}
	for m.nxt < len(m.have) && m.have[m.nxt] {
		m.nxt++
	}
}

// runs are the contiguous parts received beyond the first gap.
func (m *model) runs() (list []Range) {
	for i := m.nxt; i < len(m.have); i++ {
		switch {
		case !m.have[i]:
		case m.have[i-1] && i > m.nxt && len(list) > 0:
			list[len(list)-1].End++
		default:
			list = append(list, Range{m.seq(i), m.seq(i + 1)})
		}
	}
	return list
}

func (m *model) check() {
	require.NoError(m.t, m.c.Check())
	r := &m.c.rcv
	end := m.seq(m.nxt)
	if m.fin && m.nxt == len(m.have) {
		end++
	}
	require.Equal(m.t, end, r.nxt)
	var held []Range
	memory := 0
	for i := range r.reassembler.blocks {
		h := &r.reassembler.blocks[i]
		held = append(held, h.Range)
		memory += h.bytes.Memory()
		require.Equal(m.t, !m.shut, h.bytes.Len() == h.Len())
	}
	runs := m.runs()
	require.Equal(m.t, fmt.Sprint(runs), fmt.Sprint(held))
	require.Equal(m.t, memory, r.reassembler.memory)
	require.Less(m.t, r.reassembler.memory+r.buf.Memory(), 3*m.bound/2)
	m.blocks(runs)
}

// blocks checks that the SACK blocks are the runs, except for a D-SACK.
func (m *model) blocks(runs []Range) {
	var s Segment
	for m.c.Output(m.now, &s) {
		sacks := s.Options.Sack[:s.Options.SackCount]
		if s.reportsDuplicate() {
			d := sacks[0]
			for q := d.Start; q != d.End; q++ {
				require.True(m.t, m.have[q.Sub(m.seq(0))], "%v was never there", &s)
			}
			sacks = sacks[1:]
		}
		for _, w := range sacks {
			require.Contains(m.t, runs, w, "%v", &s)
		}
		require.True(m.t, len(sacks) == min(len(runs), 4) || s.reportsDuplicate() && len(sacks) == min(len(runs), 3), "%v of %v", &s, runs)
	}
}

// end is the end of the readable bytes.
func (m *model) end() int {
	if m.shut {
		return m.limit
	}
	return m.nxt
}

// consume reads bytes by Read or by Take.
func (m *model) consume() {
	n := 1 + m.r.IntN(9000)
	var got []byte
	if m.r.IntN(2) == 0 {
		p := make([]byte, n)
		got = p[:m.c.Read(m.now, p)]
	} else {
		q := m.c.Take(m.now, n)
		for b := q.Next(); b != nil; b = q.Next() {
			got = append(got, b.Bytes()...)
			b.Free()
		}
	}
	require.LessOrEqual(m.t, len(got), n)
	require.Equal(m.t, string(pattern(modelFirst.Add(m.read), len(got))), string(got))
	m.read += len(got)
	require.LessOrEqual(m.t, m.read, m.end())
}

// TCP-102, TCP-128, TCP-130, TCP-177, SEC-020: the stream, the SACK blocks and the memory are those of a plain array of bytes,
// for segments of any kind in any order, and each Buffer is freed once.
func TestReceiverAgainstModel(t *testing.T) {
	for seed := range uint64(Seeds(60)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			buffers := packet.Live()
			m := newModel(t, seed)
			for range 400 {
				m.now += time.Millisecond
				if m.receive(m.segment()); m.c.state == Closed {
					break
				}
				m.check()
				if m.r.IntN(2) == 0 {
					m.consume()
				}
				if seed%5 == 0 && !m.shut && m.r.IntN(200) == 0 {
					m.c.CloseRead()
					m.shut, m.limit = true, m.nxt
				}
			}
			for n := -1; n != m.read; {
				n = m.read
				m.consume()
			}
			require.Equal(t, m.end(), m.read, "all can be read")
			m.c.Abort(m.now)
			require.Equal(t, buffers, packet.Live())
		})
	}
}
