package tun

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"tunstack/internal/clock"
	"tunstack/internal/packet"
)

// captureBuffer is how much of a capture is kept back while packets keep coming, in octets.
const captureBuffer = 256 << 10

// Capture puts a recorder in front of d: every packet that is read or written is copied to file, in the format that its
// extension names, .pcap or .pcapng. The link type is raw IP for TUN and Ethernet for TAP; super-packets are recorded as they cross
// the device, checksums as they would be on a wire. Timestamps are start plus the clock's time.
//
// The file is complete whenever all queues wait for packets, so a live one can be read; Close closes it.
// An error of the file ends the recording, never the traffic: failed is called with it once, on the packet path, and
// Close returns it.
func Capture(d Device, file string, start time.Time, c clock.Clock, failed func(error)) (Device, error) {
	format := filepath.Ext(file)
	if format != ".pcap" && format != ".pcapng" {
		return nil, fmt.Errorf("tun: capture file %s: the extension must be .pcap or .pcapng", file)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("tun: capture: %w", err)
	}
	return newCapture(d, f, format, start, c, failed)
}

func newCapture(d Device, f io.WriteCloser, format string, start time.Time, c clock.Clock, failed func(error)) (Device, error) {
	r := &recorder{file: f, buf: bufio.NewWriterSize(f, captureBuffer), kind: d.Kind(), start: start, clock: c, failed: failed}
	cd := &captureDevice{Device: d, rec: r}
	for _, q := range d.Queues() {
		cd.queues = append(cd.queues, &captureQueue{Queue: q, rec: r})
	}
	r.busy.Store(int32(len(cd.queues)))
	if err := r.open(format, d.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("tun: capture: %w", err)
	}
	return cd, nil
}

type captureDevice struct {
	Device
	queues []Queue
	rec    *recorder
}

func (d *captureDevice) Queues() []Queue { return d.queues }

func (d *captureDevice) Close() error { return errors.Join(d.Device.Close(), d.rec.close()) }

type captureQueue struct {
	Queue
	rec *recorder
}

func (q *captureQueue) TryRead() (*packet.Buffer, error) {
	p, err := q.Queue.TryRead()
	if p != nil {
		q.rec.record(p)
	}
	return p, err
}

func (q *captureQueue) Wait() error {
	if q.rec.busy.Add(-1) == 0 {
		q.rec.flush()
	}
	defer q.rec.busy.Add(1)
	return q.Queue.Wait()
}

func (q *captureQueue) Write(p *packet.Buffer) error {
	q.rec.record(p)
	return q.Queue.Write(p)
}

// recorder writes packets to a file. It is safe for concurrent use.
type recorder struct {
	kind   Kind
	start  time.Time
	clock  clock.Clock
	failed func(error)
	busy   atomic.Int32 // queues whose reader is not in Wait; while there are some, packets may stay in buf

	mu   sync.Mutex
	file io.WriteCloser
	buf  *bufio.Writer
	out  interface {
		WritePacket(ci gopacket.CaptureInfo, data []byte) error
	}
	err    error // the first of the file; nothing is written after it
	closed bool
}

// open writes the file's header, through to the file: a full disk is to be seen at once.
func (r *recorder) open(format, name string) error {
	link := layers.LinkTypeRaw
	if r.kind == TAP {
		link = layers.LinkTypeEthernet
	}
	if format == ".pcap" {
		w := pcapgo.NewWriterNanos(r.buf)
		r.out = w
		return errors.Join(w.WriteFileHeader(packet.MaxSize, link), r.buf.Flush())
	}
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Hardware: runtime.GOARCH, OS: runtime.GOOS, Application: "tunstack",
	}}
	// The writer uses r.buf itself, as it is a bufio.Writer, so that one Flush is enough.
	w, err := pcapgo.NewNgWriterInterface(r.buf, pcapgo.NgInterface{Name: name, LinkType: link}, options)
	r.out = w
	return errors.Join(err, r.buf.Flush())
}

// record copies p, which stays the caller's, and completes its checksum in the copy.
func (r *recorder) record(p *packet.Buffer) {
	c := p.Clone()
	defer c.Free()
	completeChecksum(c, r.kind)
	r.mu.Lock()
	defer r.mu.Unlock()
	info := gopacket.CaptureInfo{Timestamp: r.start.Add(r.clock.Now()), CaptureLength: c.Len(), Length: c.Len()}
	r.write(func() error {
		if err := r.out.WritePacket(info, c.Bytes()); err != nil || r.busy.Load() > 0 {
			return err
		}
		return r.buf.Flush()
	})
}

func (r *recorder) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(r.buf.Flush)
}

// write calls f unless the recording has ended, and ends it if f fails. The caller holds the lock.
func (r *recorder) write(f func() error) {
	if r.closed || r.err != nil {
		return
	}
	if r.err = f(); r.err != nil {
		r.failed(r.err)
	}
}

// close ends the recording. The second call does nothing.
func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.write(r.buf.Flush)
	r.closed = true
	return errors.Join(r.err, r.file.Close())
}
