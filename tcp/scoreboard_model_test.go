package tcp

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// boardModel is a simple scoreboard: one byte per segment, of ten bytes each.
type boardModel struct {
	base  Seq
	start int // segments acknowledged
	segs  []boardSegment
}

type boardSegment struct {
	sent                  time.Duration
	sacked, lost, retrans bool
}

func (m *boardModel) seq(i int) Seq { return m.base.Add(10 * i) }

func (m *boardModel) sums() (sacked, lost, firstLost int) {
	firstLost = -1
	for i, s := range m.segs[m.start:] {
		if s.sacked {
			sacked += 10
		}
		if s.lost {
			lost += 10
			if firstLost < 0 {
				firstLost = m.start + i
			}
		}
	}
	return sacked, lost, firstLost
}

// oldest is the time of sending of the oldest waiting segment; -1: none is waiting.
func (m *boardModel) oldest() time.Duration {
	first := time.Duration(-1)
	for _, s := range m.segs[m.start:] {
		if !s.sacked && !s.lost && (first < 0 || s.sent < first) {
			first = s.sent
		}
	}
	return first
}

// The scoreboard agrees with the model after any sequence of operations.
func TestScoreboardModel(t *testing.T) {
	for seed := range uint64(Seeds(100)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runScoreboardModel(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func runScoreboardModel(t *testing.T, r *rand.Rand) {
	m := &boardModel{base: Seq(r.Uint32())}
	b := new(scoreboard)
	now := time.Duration(0)
	for range 600 {
		now += time.Duration(r.IntN(2))
		n := len(m.segs) - m.start
		from, count := m.start, 0
		if n > 0 {
			from = m.start + r.IntN(n)
			count = 1 + r.IntN(min(len(m.segs)-from, 12))
		}
		switch r.IntN(6) {
		case 0, 1:
			if n > 300 {
				break
			}
			count = 1 + r.IntN(30)
			b.push(Range{m.seq(len(m.segs)), m.seq(len(m.segs) + count)}, 10, now)
			for range count {
				m.segs = append(m.segs, boardSegment{sent: now})
			}
		case 2: // with edges within segments, which the scoreboard ignores
			cut := r.IntN(10)
			b.sack(Range{m.seq(from).Add(-cut), m.seq(from + count).Add(r.IntN(10))}, 0, new(delivery))
			for i := from; i < from+count; i++ {
				m.segs[i].sacked, m.segs[i].lost = true, false
			}
		case 3:
			if r.IntN(4) == 0 {
				b.ackTo(m.seq(from), 0, new(delivery))
				m.start = from
			}
		case 4:
			for f := b.oldest(); f != nil && f.sent < now-3; f = b.oldest() {
				b.markLost(f)
			}
			for i := range m.segs[m.start:] {
				if s := &m.segs[m.start+i]; !s.sacked && s.sent < now-3 {
					s.lost = true
				}
			}
		case 5:
			p, ok := b.nextLost()
			if !ok {
				break
			}
			first := b.at(p).Start.Sub(m.base) / 10
			w := b.lostFrom(p, 10*(1+r.IntN(12)))
			count := 1 + r.IntN(w.Len()/10)
			b.resent(p, 10*count, 10, now)
			for i := first; i < first+count; i++ {
				m.segs[i] = boardSegment{sent: now, retrans: true}
			}
		}
		compareScoreboard(t, m, b)
	}
}

func compareScoreboard(t *testing.T, m *boardModel, b *scoreboard) {
	sacked, lost, first := m.sums()
	require.Equal(t, []int{sacked, lost}, []int{b.sacked, b.lost})
	p, ok := b.nextLost()
	require.Equal(t, first >= 0, ok)
	if ok {
		require.Equal(t, m.seq(first), b.at(p).Start)
	}
	oldest := time.Duration(-1)
	if f := b.oldest(); f != nil {
		oldest = f.sent
	}
	require.Equal(t, m.oldest(), oldest)
	at := m.seq(m.start)
	for p := b.first(); b.valid(p); p = b.next(p) {
		f := b.at(p)
		require.Equal(t, at, f.Start)
		for ; at.Less(f.End); at = at.Add(10) {
			s := m.segs[at.Sub(m.base)/10]
			if s.sacked != f.sacked || s.lost != f.lost || !s.sacked && (s.sent != f.sent || s.retrans != f.retrans) {
				t.Fatalf("at %d: %+v, not %+v", at, f, s)
			}
		}
	}
	require.Equal(t, m.seq(len(m.segs)), at)
}
