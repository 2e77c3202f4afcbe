package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"tunstack/internal/outfile"
	"tunstack/internal/packet"
	"tunstack/trace"
)

// Format is the format of a capture file.
type Format string

const (
	PCAP   Format = ".pcap"   // has no comments
	PCAPNG Format = ".pcapng" // draft-ietf-opsawg-pcapng
)

// FormatOf returns the format of a file by its extension.
func FormatOf(file string) (Format, error) {
	switch f := Format(filepath.Ext(file)); f {
	case PCAP, PCAPNG:
		return f, nil
	}
	return "", fmt.Errorf("%s: the name must end in .pcap or .pcapng", file)
}

// Writer writes packets in one of the formats.
type Writer struct {
	buf *bufio.Writer
	put func(gopacket.CaptureInfo, *Packet) error
}

// NewWriter writes the header of a file.
func NewWriter(w io.Writer, format Format, source Source) (*Writer, error) {
	out := &Writer{buf: bufio.NewWriterSize(w, 64<<10)}
	if format == PCAP {
		plain := pcapgo.NewWriterNanos(out.buf)
		out.put = func(info gopacket.CaptureInfo, p *Packet) error { return plain.WritePacket(info, p.Data) }
		return out, errors.Join(plain.WriteFileHeader(packet.MaxSize, source.Link), out.buf.Flush())
	}
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "tunstack",
	}}
	// NgWriter uses the given bufio.Writer itself, so that one Flush is enough.
	ng, err := pcapgo.NewNgWriterInterface(out.buf, pcapgo.NgInterface{Name: source.Name, LinkType: source.Link}, options)
	out.put = func(info gopacket.CaptureInfo, p *Packet) error {
		return ng.WritePacketWithOptions(info, p.Data, p.options())
	}
	return out, errors.Join(err, out.buf.Flush())
}

// Write writes packets and flushes them.
func (w *Writer) Write(batch []*Packet) error {
	for _, p := range batch {
		if err := w.put(gopacket.CaptureInfo{Timestamp: p.At, CaptureLength: len(p.Data), Length: len(p.Data)}, p); err != nil {
			return err
		}
	}
	return w.buf.Flush()
}

// options returns the direction and the comment of a packet for pcapng.
func (p *Packet) options() pcapgo.NgPacketOptions {
	o := pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}}
	if p.Out {
		o.Flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	if p.Comment != "" {
		o.Comments = []string{p.Comment}
	}
	return o
}

// ToFile records all packets in file, in the format of its extension, until close is called. While it is written the file is complete
// except for the last moment. An error of the file ends the recording, not the traffic: failed is called once with the error, and close
// returns it.
func (c *Capture) ToFile(file string, failed func(error)) (close func() error, err error) {
	format, err := FormatOf(file)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	f, err := outfile.Create(file, 0o600)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	close, err = c.to(f, format, failed)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("capture: %w", err), f.Close())
	}
	return close, nil
}

func (c *Capture) to(f io.WriteCloser, format Format, failed func(error)) (close func() error, err error) {
	w, err := NewWriter(f, format, c.source)
	if err != nil {
		return nil, err
	}
	var broken error
	stop := c.Watch(func(batch []*Packet) {
		if broken != nil {
			return
		}
		if broken = w.Write(batch); broken != nil {
			failed(broken)
		}
	})
	return sync.OnceValue(func() error {
		stop()
		return errors.Join(broken, f.Close())
	}), nil
}

// Reader reads a capture file of this or another program.
type Reader struct {
	Source Source
	next   func() (Packet, error)
}

// NewReader reads the header of a file and detects its format. Link types other than raw IP and Ethernet are an error.
func NewReader(r io.Reader) (*Reader, error) {
	in, err := newReader(r)
	if err == nil && in.Source.Link != layers.LinkTypeRaw && in.Source.Link != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("the link type is %d, neither raw IP nor Ethernet", in.Source.Link)
	}
	return in, err
}

func newReader(r io.Reader) (*Reader, error) {
	in := bufio.NewReader(r)
	magic, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	if string(magic) != "\x0a\x0d\x0d\x0a" { // of a section header block
		return newPlainReader(in)
	}
	ng, err := pcapgo.NewNgReader(in, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, err
	}
	i, err := ng.Interface(0)
	if err != nil {
		return nil, err
	}
	return &Reader{Source{i.Name, linkType(i.LinkType)}, func() (Packet, error) {
		data, info, options, err := ng.ReadPacketDataWithOptions()
		p := Packet{At: info.Timestamp, Data: data, Cut: info.Length > len(data)}
		if len(options.Comments) > 0 {
			p.Comment = options.Comments[0]
		}
		p.Out = options.Flags != nil && options.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound
		return p, err
	}}, nil
}

func newPlainReader(r io.Reader) (*Reader, error) {
	plain, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &Reader{Source{"", linkType(plain.LinkType())}, func() (Packet, error) {
		data, info, err := plain.ReadPacketData()
		return Packet{At: info.Timestamp, Data: data, Cut: info.Length > len(data)}, err
	}}, nil
}

// linkType maps the other numbers for packets without a link header to LinkTypeRaw: those of the BSDs, and those of one version of IP.
func linkType(t layers.LinkType) layers.LinkType {
	switch t {
	case 12, 14, layers.LinkTypeIPv4, layers.LinkTypeIPv6: // the first two are DLT_RAW
		return layers.LinkTypeRaw
	}
	return t
}

// Next returns the next packet, or io.EOF after the last.
func (r *Reader) Next() (Packet, error) { return r.next() }

// NextSegment returns the next TCP segment, whose payload stays valid, or io.EOF after the last packet. Packets without a TCP segment and
// fragments are skipped.
func (r *Reader) NextSegment() (trace.Captured, error) {
	for {
		p, err := r.next()
		if err != nil {
			return trace.Captured{}, err
		}
		c := trace.Captured{At: p.At, Out: p.Out, Cut: p.Cut}
		if e, ok := parse(p.Data[min(r.Source.linkLen(), len(p.Data)):], &c.Segment); ok {
			c.Src, c.Dst = e.local, e.remote
			return c, nil
		}
	}
}
