package tun

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
)

var captureStart = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// captured is one packet of a capture file.
type captured struct {
	at   time.Time
	data []byte
}

// readCapture returns the packets of a file in either format.
func readCapture(t *testing.T, file string) (layers.LinkType, []captured) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var r interface {
		LinkType() layers.LinkType
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	if filepath.Ext(file) == ".pcap" {
		r, err = pcapgo.NewReader(bytes.NewReader(data))
	} else {
		r, err = pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
	}
	require.NoError(t, err)
	var all []captured
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			return r.LinkType(), all
		}
		require.NoError(t, err)
		require.Equal(t, len(data), info.Length)
		all = append(all, captured{info.Timestamp.UTC(), data})
	}
}

func noFailure(t *testing.T) func(error) { return func(err error) { t.Error(err) } }

func TestCapture(t *testing.T) {
	for _, name := range []string{"a.pcap", "a.pcapng"} {
		for kind, link := range map[Kind]layers.LinkType{TUN: layers.LinkTypeRaw, TAP: layers.LinkTypeEthernet} {
			file := filepath.Join(t.TempDir(), name)
			var now clock.Virtual
			a, peer := Pipe(1500, kind, packet.Features{Checksum: true, TSO: 65535})
			d, err := Capture(a, file, captureStart, &now, noFailure(t))
			require.NoError(t, err)

			payload := randomBytes(4000)
			out := super(buildTCP(segmentFields{srcPort: 7}, payload), packet.SegmentTCP, 1460)
			out.Truncate(ipv4HeaderLen + tcpHeaderLen)
			out.Borrow([2][]byte{payload[:999], payload[999:]})
			in := packet.From([]byte("0123456789abcdef"))
			if kind == TAP {
				frame(out, []byte{1, 2, 3, 4, 5, 6})
			}
			now.Set(1500 * time.Microsecond)
			require.NoError(t, d.Queues()[0].Write(out))
			now.Set(3 * time.Hour)
			require.NoError(t, peer.Queues()[0].Write(in))
			p, err := d.Queues()[0].TryRead()
			require.NoError(t, err)
			require.Equal(t, "0123456789abcdef", string(p.Bytes()))
			require.NoError(t, d.Close())
			require.NoError(t, d.Close())

			gotLink, packets := readCapture(t, file)
			require.Equal(t, link, gotLink)
			require.Len(t, packets, 2)
			require.Equal(t, captureStart.Add(1500*time.Microsecond), packets[0].at)
			require.Equal(t, captureStart.Add(3*time.Hour), packets[1].at)
			require.Equal(t, "0123456789abcdef", string(packets[1].data))
			requireSame(t, payload, verify(t, packet.From(packets[0].data[kind.headerLen():]))[tcpHeaderLen:])

			sent, err := peer.Queues()[0].TryRead()
			require.NoError(t, err)
			require.Equal(t, packet.ChecksumPartial, sent.Offload.Checksum, "only the copy is completed")
		}
	}
}

// A live file holds every packet as soon as the reader waits: also those written from elsewhere meanwhile.
func TestCaptureOfLiveDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "live.pcapng")
	a, peer := Pipe(1500, TUN, packet.Features{})
	d, err := Capture(a, file, captureStart, &clock.Virtual{}, noFailure(t))
	require.NoError(t, err)
	q := d.Queues()[0]
	require.NoError(t, q.Write(packet.From([]byte("one"))))
	_, packets := readCapture(t, file)
	require.Empty(t, packets, "kept back while the reader is at work")

	done := make(chan error)
	go func() { done <- q.Wait() }()
	require.Eventually(t, func() bool { _, packets := readCapture(t, file); return len(packets) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, q.Write(packet.From([]byte("two"))))
	_, packets = readCapture(t, file)
	require.Len(t, packets, 2)

	require.NoError(t, peer.Queues()[0].Write(packet.From([]byte("three"))))
	require.NoError(t, <-done)
	p, err := q.TryRead()
	require.NoError(t, err)
	p.Free()
	require.NoError(t, d.Close())
	_, packets = readCapture(t, file)
	require.Len(t, packets, 3)
}

func TestCaptureConcurrentWriters(t *testing.T) {
	const writers, each = 4, 100
	file := filepath.Join(t.TempDir(), "many.pcapng")
	a, _ := Pipe(1500, TUN, packet.Features{})
	d, err := Capture(a, file, captureStart, &clock.Virtual{}, noFailure(t))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				d.Queues()[0].Write(packet.From(randomBytes(100)))
			}
		})
	}
	wg.Wait()
	require.NoError(t, d.Close())
	_, packets := readCapture(t, file)
	require.Len(t, packets, writers*each)
}

// fullDisk fails from a certain size on.
type fullDisk struct{ room int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errTest
	}
	return len(b), nil
}

func (f *fullDisk) Close() error { return nil }

func TestCaptureOnFullDisk(t *testing.T) {
	a, peer := Pipe(65535, TUN, packet.Features{})
	var failures []error
	d, err := newCapture(a, &fullDisk{room: captureBuffer}, ".pcap", captureStart, &clock.Virtual{}, func(err error) { failures = append(failures, err) })
	require.NoError(t, err)
	for range 20 {
		require.NoError(t, d.Queues()[0].Write(packet.From(make([]byte, 60000))))
	}
	require.Len(t, failures, 1)
	require.ErrorIs(t, failures[0], errTest)
	for range 20 {
		p, err := peer.Queues()[0].TryRead()
		require.NoError(t, err)
		require.Equal(t, 60000, p.Len())
		p.Free()
	}
	require.ErrorIs(t, d.Close(), errTest)

	_, err = newCapture(a, &fullDisk{}, ".pcap", captureStart, &clock.Virtual{}, noFailure(t))
	require.ErrorIs(t, err, errTest, "seen at the start")
}

func TestCaptureOfBadFile(t *testing.T) {
	a, _ := Pipe(1500, TUN, packet.Features{})
	_, err := Capture(a, "x.cap", captureStart, &clock.Virtual{}, noFailure(t))
	require.EqualError(t, err, "tun: capture file x.cap: the extension must be .pcap or .pcapng")
	_, err = Capture(a, filepath.Join(t.TempDir(), "no", "x.pcap"), captureStart, &clock.Virtual{}, noFailure(t))
	require.ErrorIs(t, err, os.ErrNotExist)
}
