package replay

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/capture"
	"tunstack/tcp"
	"tunstack/tcp/sim"
	"tunstack/trace"
	"tunstack/trace/scenario"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a result with a file of testdata.
func golden(t *testing.T, name string, r *Result) {
	t.Helper()
	var got bytes.Buffer
	require.NoError(t, r.Write(&got))
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "%s; -update writes it anew", path)
}

// recording is a pcapng file in memory.
type recording struct {
	t    testing.TB
	buf  bytes.Buffer
	file *capture.Writer
}

func newRecording(t testing.TB) *recording {
	r := &recording{t: t}
	var err error
	r.file, err = capture.NewWriter(&r.buf, capture.PCAPNG, capture.Source{Name: "sim0", Link: layers.LinkTypeRaw})
	require.NoError(t, err)
	return r
}

// add records a segment.
func (r *recording) add(at time.Duration, src, dst netip.AddrPort, out bool, s *tcp.Segment) {
	c := *s
	c.SrcPort, c.DstPort = src.Port(), dst.Port()
	header := make([]byte, c.HeaderLen())
	c.PutHeader(header)
	b := gopacket.NewSerializeBuffer()
	var ip gopacket.SerializableLayer = &layers.IPv4{
		Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice(),
	}
	if src.Addr().Is6() {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	}
	payload := append(append(header, s.Payload...), s.Wrap...)
	require.NoError(r.t, gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, gopacket.Payload(payload)))
	start := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	require.NoError(r.t, r.file.Write([]*capture.Packet{{At: start.Add(at), Out: out, Data: b.Bytes()}}))
}

// load loads a connection of the recording.
func (r *recording) load(conn, as string) (*Connection, error) {
	in, err := capture.NewReader(&r.buf)
	require.NoError(r.t, err)
	match, err := trace.ParseMatch(conn)
	require.NoError(r.t, err)
	return Load(in, match, as)
}

// record runs a simulated joke and records it at one of its ends.
func record(t testing.TB, end int, cfg scenario.Config) *recording {
	t.Helper()
	r := newRecording(t)
	cfg.Delay = 5 * time.Millisecond
	world, ends := scenario.New(cfg), cfg.Ends()
	world.Hook = func(e sim.Event) {
		if e.Arrived == (e.From != end) {
			r.add(e.At, ends[e.From], ends[1-e.From], e.From == end, e.Segment)
		}
	}
	require.NoError(t, world.Run(10_000))
	return r
}
