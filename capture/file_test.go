package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
	"tunstack/tun"
)

// readFile returns the packets of a file.
func readFile(t *testing.T, file string) (Source, []Packet) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	r, err := NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	var all []Packet
	for {
		p, err := r.Next()
		if err == io.EOF {
			return r.Source, all
		}
		require.NoError(t, err)
		p.At = p.At.UTC()
		all = append(all, p)
	}
}

func noFailure(t *testing.T) func(error) { return func(err error) { t.Error(err) } }

// The file has each packet that crosses the device: time, direction, comment, and the packet with its checksum.
func TestFile(t *testing.T) {
	for kind, link := range map[tun.Kind]layers.LinkType{tun.TUN: layers.LinkTypeRaw, tun.TAP: layers.LinkTypeEthernet} {
		for _, name := range []string{"a.pcap", "a.pcapng"} {
			file := filepath.Join(t.TempDir(), name)
			var now clock.Virtual
			a, peer := tun.Pipe(1500, kind, packet.Features{Checksum: true, TSO: 65535})
			c, d := Of(a, start, &now)
			end, err := c.ToFile(file, noFailure(t))
			require.NoError(t, err)

			whole := tcpPacket(t, 1, string(make([]byte, 4000)))
			now.Set(1500 * time.Microsecond)
			require.NoError(t, d.Queues()[0].Write(super(whole, kind)))
			now.Set(3 * time.Hour)
			require.NoError(t, peer.Queues()[0].Write(packet.From(make([]byte, 60))))
			p, err := d.Queues()[0].TryRead()
			require.NoError(t, err)
			p.Free()
			c.young[1].Comment = "a comment"
			require.NoError(t, end())
			require.NoError(t, end())

			source, got := readFile(t, file)
			require.Equal(t, link, source.Link)
			require.Len(t, got, 2)
			require.Equal(t, start.Add(1500*time.Microsecond), got[0].At)
			require.Equal(t, start.Add(3*time.Hour), got[1].At)
			require.Equal(t, whole, got[0].Data[source.linkLen():], "with its checksum")
			if name == "a.pcapng" {
				require.Equal(t, "pipe0", source.Name)
				require.Equal(t, []bool{true, false}, []bool{got[0].Out, got[1].Out})
				require.Equal(t, "a comment", got[1].Comment)
			}
			sent, err := peer.Queues()[0].TryRead()
			require.NoError(t, err)
			require.Equal(t, packet.ChecksumPartial, sent.Offload.Checksum, "only the copy is completed")
			require.NoError(t, d.Close())
		}
	}
}

// super makes a super-packet of a datagram, with borrowed payload and a partial checksum.
func super(whole []byte, kind tun.Kind) *packet.Buffer {
	p := packet.From(whole[:40])
	p.Borrow([2][]byte{whole[40:1039], whole[1039:]})
	p.Offload = packet.Offload{Checksum: packet.ChecksumPartial, Segmentation: packet.SegmentTCP, Size: 1460, Start: 20, Offset: 16}
	header := p.Bytes()
	pseudo := append(bytes.Clone(header[12:20]), 0, 6, byte((len(whole)-20)>>8), byte(len(whole)-20))
	sum := uint32(0)
	for i := 0; i < len(pseudo); i += 2 {
		sum += uint32(pseudo[i])<<8 | uint32(pseudo[i+1])
	}
	sum = sum>>16 + sum&0xffff
	header[36], header[37] = byte(sum>>8), byte(sum)
	if kind == tun.TAP {
		clear(p.Prepend(14))
	}
	return p
}

// A file is complete except for the last moment while it is written.
func TestFileOfLiveDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "live.pcapng")
	a, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	c, d := Of(a, start, &clock.Virtual{})
	end, err := c.ToFile(file, noFailure(t))
	require.NoError(t, err)
	_, got := readFile(t, file)
	require.Empty(t, got)
	require.NoError(t, d.Queues()[0].Write(packet.From([]byte("one"))))
	require.Eventually(t, func() bool { _, got := readFile(t, file); return len(got) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, end())
}

// Packets of concurrent writers are recorded in the order of their timestamps, without a loss.
func TestConcurrentWriters(t *testing.T) {
	const writers, each = 4, 100
	file := filepath.Join(t.TempDir(), "many.pcapng")
	a, peer := tun.Pipe(1500, tun.TUN, packet.Features{})
	c, d := Of(a, start, clock.NewReal())
	end, err := c.ToFile(file, noFailure(t))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				d.Queues()[0].Write(packet.From(make([]byte, 100)))
			}
		})
	}
	wg.Go(func() {
		for range each {
			peer.Queues()[0].Write(packet.From(make([]byte, 100)))
			if p, _ := d.Queues()[0].TryRead(); p != nil {
				p.Free()
			}
		}
	})
	wg.Wait()
	require.NoError(t, end())
	_, got := readFile(t, file)
	require.Len(t, got, (writers+1)*each)
	for i := range got[1:] {
		require.False(t, got[i+1].At.Before(got[i].At))
	}
}

var errTest = errors.New("disk full")

// fullDisk fails after room bytes.
type fullDisk struct{ room int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errTest
	}
	return len(b), nil
}

func (f *fullDisk) Close() error { return nil }

// A full disk ends the recording and not the traffic, and is reported once, also if it is full at the start.
func TestFullDisk(t *testing.T) {
	a, peer := tun.Pipe(65535, tun.TUN, packet.Features{})
	c, d := Of(a, start, &clock.Virtual{})
	var failures []error
	end, err := c.to(&fullDisk{room: 1000}, PCAP, func(err error) { failures = append(failures, err) })
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, d.Queues()[0].Write(packet.From(make([]byte, 60000))))
		c.deliver(c.takeAll)
	}
	require.ErrorIs(t, end(), errTest)
	require.Len(t, failures, 1)
	require.ErrorIs(t, failures[0], errTest)
	p, err := peer.Queues()[0].TryRead()
	require.NoError(t, err)
	require.Equal(t, 60000, p.Len())

	_, err = c.to(&fullDisk{}, PCAP, noFailure(t))
	require.ErrorIs(t, err, errTest)
}

func TestBadFiles(t *testing.T) {
	a, _ := tun.Pipe(1500, tun.TUN, packet.Features{})
	c, _ := Of(a, start, &clock.Virtual{})
	_, err := c.ToFile("x.cap", noFailure(t))
	require.EqualError(t, err, "capture: x.cap: the name must end in .pcap or .pcapng")
	_, err = c.ToFile(filepath.Join(t.TempDir(), "no", "x.pcap"), noFailure(t))
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, text := range []string{"", "abc", "abcdefgh", "\x0a\x0d\x0d\x0a"} {
		_, err := NewReader(bytes.NewReader([]byte(text)))
		require.Error(t, err, text)
	}
}

// Packets are printed in tcpdump's notation, with the comment behind a #.
func TestPrinter(t *testing.T) {
	udp := &layers.UDP{SrcPort: 5000, DstPort: 7}
	require.NoError(t, udp.SetNetworkLayerForChecksum(ipHeader(layers.IPProtocolUDP)))
	unreachable := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 3)}
	datagram := serialize(t, ipHeader(layers.IPProtocolUDP), udp, gopacket.Payload("hello"))
	fragment := ipHeader(layers.IPProtocolUDP)
	fragment.FragOffset = 10
	p := NewPrinter(Source{Link: layers.LinkTypeRaw})
	for _, tt := range []struct {
		data []byte
		want string
	}{
		{tcpPacket(t, 1000, "hello"), "IP 10.0.0.1.4000 > 10.0.0.2.7: Flags [P.], seq 1000:1005, ack 2000, win 500, length 5"},
		{tcpPacket(t, 1005, "hi"), "IP 10.0.0.1.4000 > 10.0.0.2.7: Flags [P.], seq 5:7, ack 1, win 500, length 2"},
		{datagram, "IP 10.0.0.1.5000 > 10.0.0.2.7: UDP, length 5"},
		{serialize(t, ipHeader(layers.IPProtocolICMPv4), unreachable, gopacket.Payload(datagram[:28])), "IP 10.0.0.1 > 10.0.0.2: ICMP 10.0.0.2 udp port 7 unreachable, length 36"},
		{serialize(t, fragment, gopacket.Payload("rest")), "IP 10.0.0.1 > 10.0.0.2: ip-proto-17"},
		{serialize(t, ipHeader(47), gopacket.Payload("x")), "IP 10.0.0.1 > 10.0.0.2:  ip-proto-47 1"},
		{[]byte{0x45}, "IP [|ip]"},
		{nil, "truncated, length 0"},
	} {
		require.Equal(t, tt.want, p.packet(tt.data))
	}
	require.Regexp(t, `^\d\d:\d\d:\d\d\.123456 truncated, length 0  # why$`, p.Line(&Packet{At: start, Comment: "why"}))
}

// written returns a file that a Writer has written.
func written(f testing.TB, format Format, link layers.LinkType, packets ...*Packet) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, format, Source{Link: link, Name: "tun0"})
	require.NoError(f, err)
	require.NoError(f, w.Write(packets))
	return b.Bytes()
}

// A file of IPv6 packets, of any number for packets without a link header, has its segments, those behind extension headers too.
func TestReaderOfIPv6(t *testing.T) {
	segment := tcp6(1000, 2000, 0x18, nil, "hello")
	for _, format := range []Format{PCAP, PCAPNG} {
		for _, link := range []layers.LinkType{layers.LinkTypeRaw, layers.LinkTypeIPv6, 12} {
			file := written(t, format, link, &Packet{At: start, Data: datagram6(17, 6, udp6("x"))},
				&Packet{At: start, Data: datagram6(6, 16, segment, ext{60, []byte{0, 1, 4, 0, 0, 0, 0}})})
			r, err := NewReader(bytes.NewReader(file))
			require.NoError(t, err)
			c, err := r.NextSegment()
			require.NoError(t, err)
			require.Equal(t, "[2001:db8::1]:5000 [2001:db8::2]:8192", c.Src.String()+" "+c.Dst.String())
			require.Equal(t, 5, c.Segment.DataLen())
		}
	}
}

// Any file can be read to its end or to an error, and its packets be printed.
func FuzzReader(f *testing.F) {
	one := &Packet{At: start, Data: tcpPacket(f, 1, "x"), Comment: "a comment", Out: true}
	for _, format := range []Format{PCAP, PCAPNG} {
		for _, link := range []layers.LinkType{layers.LinkTypeRaw, layers.LinkTypeEthernet} {
			f.Add(written(f, format, link, one, one))
			f.Add(written(f, format, link, one)[:100])
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		printer := NewPrinter(r.Source)
		for {
			p, err := r.Next()
			if err != nil {
				return
			}
			require.NotEmpty(t, printer.Line(&p))
		}
	})
}

// Any packet can be printed.
func FuzzPrinter(f *testing.F) {
	f.Add(tcpPacket(f, 1, "x"), false, false)
	f.Add(serialize(f, &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeARP}, gopacket.Payload(make([]byte, 28))), true, false)
	for _, s := range samples6() {
		f.Add(s.data, false, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, ethernet, verbose bool) {
		s := Source{Link: layers.LinkTypeRaw}
		if ethernet {
			s.Link = layers.LinkTypeEthernet
		}
		p := NewPrinter(s)
		p.Verbose = verbose
		require.NotEmpty(t, p.packet(b))
		j := joiner{flows: map[ends]*flow{}}
		j.packet(&held{}, b)
		j.packet(&held{Packet: Packet{Out: true}}, b)
	})
}

func TestCommentsAreEscaped(t *testing.T) { // SEC-041
	p := NewPrinter(Source{Link: layers.LinkTypeRaw})
	line := p.Line(&Packet{Data: tcpPacket(t, 1, "x"), Comment: "\x1b]0;title\a\nIP 10.0.0.9 forged"})
	require.Contains(t, line, `  # \x1b]0;title\x07\nIP 10.0.0.9 forged`)
	require.NotContains(t, line, "\n")
}
