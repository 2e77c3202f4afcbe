package tcp

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script runs one Conn in virtual time, with a line per segment in the notation of Segment.String.
// Payload bytes are a function of their sequence number, so that received data can be checked.
//
// In a script our ISS is testISS and the peer's peerISS. The machine sees others: TestMain runs all scripts again for each of
// firstSeqs, and the script translates.
type script struct {
	t      *testing.T
	cfg    Config
	params Params
	header int // of IP; 0: IPv4's
	mtu    int
	gso    int
	now    time.Duration
	c      *Conn
}

// The ISS of both ends in scripts.
const (
	testISS = 1000
	peerISS = 5000
)

func newScript(t *testing.T) *script {
	scripted(t)
	return &script{t: t, mtu: 1500, cfg: Config{NoTimestamps: true, NoWindowScale: true, NoSACK: true, Congestion: "reno"}}
}

// with changes the configuration and the parameters of the next open or listen.
func (s *script) with(change func(*Config, *Params)) *script {
	change(&s.cfg, &s.params)
	return s
}

func (s *script) setup() (*Config, Setup) {
	cfg := s.cfg.WithDefaults()
	return &cfg, Setup{ISS: ours.wire(testISS), NetHeader: s.header, MTU: s.mtu, LinkMTU: s.mtu, MaxPayload: s.gso}
}

// open begins an active open.
func (s *script) open() *script {
	cfg, setup := s.setup()
	s.c = Open(s.now, cfg, &s.params, setup)
	return s
}

// listen makes the next recv a passive open.
func (s *script) listen() *script {
	s.c = nil
	return s
}

// established is a passive connection after its handshake, with SND.NXT 1001 and RCV.NXT 5001.
func (s *script) established(options string) *script {
	if options == "" {
		options = "mss 1460"
	}
	s.listen().recv("S seq 5000 win 64240 <" + options + ">")
	var seg Segment
	require.True(s.t, s.output(&seg), "no SYN,ACK")
	ack := ". seq 5001 ack 1001 win 64240"
	if seg.Options.HasTS {
		ack += " <TS val 1 ecr 0>"
	}
	return s.recv(ack).is(Established)
}

// recv delivers a segment.
func (s *script) recv(line string) *script {
	s.t.Helper()
	seg := parseLine(s.t, line)
	if s.c == nil {
		cfg, setup := s.setup()
		seg.translate(theirs.wire, ours.wire)
		s.c = Accept(s.now, cfg, &s.params, setup, seg)
		return s
	}
	return s.input(seg)
}

// input delivers a segment with the script's sequence numbers.
func (s *script) input(seg *Segment) *script {
	seg.translate(theirs.wire, ours.wire)
	s.c.Input(s.now, seg)
	return s
}

// output is Conn.Output with the script's sequence numbers.
func (s *script) output(seg *Segment) bool {
	more := s.c.Output(s.now, seg)
	if more {
		seg.translate(ours.script, theirs.script)
	}
	return more
}

// translate changes the sequence numbers of the segment's sender and those of its receiver.
func (s *Segment) translate(sender, receiver func(Seq) Seq) {
	s.Seq = sender(s.Seq)
	if s.Flags.Has(ACK) {
		s.Ack = receiver(s.Ack)
	}
	for i := range s.Options.Sack[:s.Options.SackCount] {
		b := &s.Options.Sack[i]
		b.Start, b.End = receiver(b.Start), receiver(b.End)
	}
}

// SND.UNA, SND.NXT, the end of the user's data, and RCV.NXT in the script's sequence numbers.
func (s *script) una() Seq     { return ours.script(s.c.snd.una) }
func (s *script) nxt() Seq     { return ours.script(s.c.snd.nxt) }
func (s *script) dataEnd() Seq { return ours.script(s.c.snd.dataEnd()) }
func (s *script) rcvNxt() Seq  { return theirs.script(s.c.rcv.nxt) }

// sends expects exactly these segments, with the payload of their sequence numbers.
func (s *script) sends(lines ...string) *script {
	s.t.Helper()
	for _, line := range lines {
		var seg Segment
		require.True(s.t, s.output(&seg), "at %v: nothing sent, want %s", s.now, line)
		require.Equal(s.t, line, seg.String(), "at %v", s.now)
		data := append(append([]byte{}, seg.Payload...), seg.Wrap...)
		require.Equal(s.t, string(pattern(seg.Seq, len(data))), string(data), "payload of %s", line)
	}
	return s
}

// quiet expects no output now.
func (s *script) quiet() *script {
	s.t.Helper()
	var seg Segment
	if s.output(&seg) {
		s.t.Fatalf("at %v: unexpected %v", s.now, &seg)
	}
	return s
}

// after lets d pass; no segment may be sent before its end.
func (s *script) after(d time.Duration) *script {
	s.t.Helper()
	end := s.now + d
	s.quiet()
	for {
		next := s.c.Deadline()
		if next == 0 || next >= end {
			s.now = end
			return s
		}
		s.now = max(next, s.now)
		s.quiet()
	}
}

// expire lets time pass until the next timer expires.
func (s *script) expire() *script {
	s.t.Helper()
	require.NotZero(s.t, s.c.Deadline(), "no timer is set")
	return s.after(s.c.Deadline() - s.now)
}

func (s *script) write(n int) *script {
	s.t.Helper()
	require.Equal(s.t, n, s.c.Write(s.now, pattern(s.dataEnd(), n)))
	return s
}

// reads expects the n bytes of the peer's sequence numbers from seq on.
func (s *script) reads(seq Seq, n int) *script {
	s.t.Helper()
	p := make([]byte, n)
	require.Equal(s.t, n, s.c.Read(s.now, p))
	require.Equal(s.t, string(pattern(seq, n)), string(p))
	return s
}

func (s *script) is(state State) *script {
	s.t.Helper()
	require.Equal(s.t, state.String(), s.c.State().String())
	return s
}

func (s *script) do(f func(c *Conn, now time.Duration)) *script {
	f(s.c, s.now)
	return s
}

func pattern(seq Seq, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		q := uint32(seq) + uint32(i)
		p[i] = byte(q*2654435761>>24) ^ byte(q)
	}
	return p
}

var lineRE = regexp.MustCompile(`^([SFRP.UEW]+|none) seq (\d+)(?::\d+\((\d+)\))?(?: ack (\d+))? win (\d+)(?: urg (\d+))?(?: <(.*)>)?( CE)?$`)

// parseLine is the inverse of Segment.String.
func parseLine(t testing.TB, line string) *Segment {
	t.Helper()
	m := lineRE.FindStringSubmatch(line)
	require.NotNil(t, m, "bad script line %q", line)
	num := func(s string) uint32 {
		n, _ := strconv.ParseUint("0"+s, 10, 32)
		return uint32(n)
	}
	seg := &Segment{Seq: Seq(num(m[2])), Ack: Seq(num(m[4])), Wnd: uint16(num(m[5])), Urg: uint16(num(m[6])), CE: m[8] != ""}
	for i := range m[1] {
		if m[1] != "none" {
			seg.Flags |= 1 << strings.IndexByte("FSRP.UEW", m[1][i])
		}
	}
	if n := int(num(m[3])); n > 0 {
		seg.Payload = pattern(seg.Seq, n)
	}
	for _, o := range strings.Split(m[7], ",") {
		parseOption(t, o, &seg.Options)
	}
	return seg
}

func parseOption(t testing.TB, text string, o *Options) {
	word, rest, _ := strings.Cut(text, " ")
	var err error
	switch word {
	case "":
	case "mss":
		_, err = fmt.Sscan(rest, &o.MSS)
	case "wscale":
		o.HasScale = true
		_, err = fmt.Sscan(rest, &o.Scale)
	case "sackOK":
		o.SackPermitted = true
	case "TS":
		o.HasTS = true
		_, err = fmt.Sscanf(rest, "val %d ecr %d", &o.TSVal, &o.TSEcr)
	case "sack":
		for _, b := range strings.Fields(rest)[1:] {
			_, err = fmt.Sscanf(b, "{%d:%d}", &o.Sack[o.SackCount].Start, &o.Sack[o.SackCount].End)
			o.SackCount++
		}
	default:
		t.Fatalf("unknown option %q", text)
	}
	require.NoError(t, err, text)
}
