package tcp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// holding is a receiver with RCV.NXT 5001 that has blocks of 100 bytes at these offsets to 5001, and has acknowledged them.
func holding(t *testing.T, offsets ...int) *script {
	s := newScript(t).with(func(c *Config, _ *Params) { c.NoSACK = false }).established("mss 1460,sackOK")
	for _, at := range offsets {
		s.arrives(at, at+100)
		s.drain()
	}
	return s
}

// arrives delivers the bytes between these offsets to 5001.
func (s *script) arrives(from, to int) *script {
	return s.recv(fmt.Sprintf("P. seq %d:%d(%d) ack 1001 win 64240", 5001+from, 5001+to, to-from))
}

// drain takes the output and discards it.
func (s *script) drain() {
	var seg Segment
	for s.c.Output(s.now, &seg) {
	}
}

// reports expects an ACK with these SACK blocks; all are offsets to 5001.
func (s *script) reports(ack int, at ...int) *script {
	s.t.Helper()
	var b strings.Builder
	for i := 0; i < len(at); i += 2 {
		fmt.Fprintf(&b, " {%d:%d}", 5001+at[i], 5001+at[i+1])
	}
	var seg Segment
	require.True(s.t, s.output(&seg), "nothing sent")
	require.Equal(s.t, fmt.Sprintf("ack %d sack %d%s", 5001+ack, len(at)/2, &b), fmt.Sprintf("ack %d %v", seg.Ack, &seg.Options))
	return s.quiet()
}

// TCP-180: the first SACK block is the first duplicate part of a segment, the second is the block that now contains it.
func TestPartialDuplicates(t *testing.T) {
	for _, c := range []struct {
		name     string
		held     []int
		from, to int
		ack      int
		blocks   []int
	}{
		{"two parts", []int{200, 400, 600}, 350, 700, 0, []int{400, 500, 350, 700, 200, 300}},
		{"all of it", []int{200, 400}, 220, 280, 0, []int{220, 280, 200, 300, 400, 500}},
		{"all of a stretch", []int{200, 400}, 200, 300, 0, []int{200, 300, 200, 300, 400, 500}},
		{"its front", []int{200, 400}, 250, 350, 0, []int{250, 300, 200, 350, 400, 500}},
		{"its end", []int{200, 400}, 150, 250, 0, []int{200, 250, 150, 300, 400, 500}},
		{"a gap filled and more", []int{100, 300}, 0, 150, 200, []int{100, 150, 300, 400}},
		{"all gaps filled and more", []int{100}, 0, 300, 300, []int{100, 200}},
		{"a gap filled exactly", []int{100, 300}, 0, 100, 200, []int{300, 400}},
		{"nothing", []int{200, 400}, 300, 400, 0, []int{200, 500}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := holding(t, c.held...)
			s.arrives(c.from, c.to).reports(c.ack, c.blocks...)
		})
	}
	s := holding(t, 200)
	s.arrives(0, 100)
	s.drain()
	s.arrives(50, 250).reports(300, 50, 100)
}

// The blocks that changed last come first; others in order of sequence follow.
func TestOrderOfBlocks(t *testing.T) {
	s := holding(t, 200, 400, 600, 800, 1000, 1200)
	s.arrives(1400, 1500).reports(0, 1400, 1500, 1200, 1300, 1000, 1100, 800, 900)
	s.arrives(250, 260).reports(0, 250, 260, 200, 300, 1400, 1500, 1200, 1300)
	s.arrives(900, 1400).reports(0, 1000, 1100, 800, 1500, 200, 300, 400, 500)
	s.arrives(0, 200).reports(300, 800, 1500, 400, 500, 600, 700)
	require.NoError(t, s.c.Check())
}
