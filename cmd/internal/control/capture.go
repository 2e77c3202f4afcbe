package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"tunstack/capture"
	"tunstack/capture/filter"
)

// captureRoom is the number of bytes of packets queued for a client; packets beyond it are left out.
const captureRoom = 32 << 20

// capture handles GET /capture/FILTER: it sends the packets that match filter.Parse of FILTER, as pcapng, until the client
// closes its side of the connection.
func (s *Server) capture(w http.ResponseWriter, r *http.Request) {
	c := s.stack.Capture()
	if c == nil {
		fail(w, errors.New("this stack has no device to capture from"))
		return
	}
	chosen, err := filter.Parse(r.PathValue("filter"))
	if err != nil {
		fail(w, err)
		return
	}
	if !s.track(nil) {
		return
	}
	defer s.forget(nil)
	q := &packetQueue{filter: chosen, source: c.Source(), ready: make(chan struct{}, 1)}
	stop := c.Watch(q.put)
	defer stop()
	w.Header().Set("Content-Type", "application/x-pcapng")
	out, err := capture.NewWriter(w, capture.PCAPNG, c.Source())
	flush := http.NewResponseController(w)
	for err == nil && flush.Flush() == nil {
		select {
		case <-r.Context().Done(): // the client has closed its side, and waits for the remaining packets
			stop()
			_ = out.Write(q.take()) // an error means that it does not wait
			return
		case <-q.ready:
			err = out.Write(q.take())
		}
	}
}

// packetQueue holds packets for a client.
type packetQueue struct {
	filter *filter.Filter
	source capture.Source
	ready  chan struct{} // the queue is not empty

	mu      sync.Mutex
	packets []*capture.Packet
	size    int // of packets, in bytes
	missing int // packets left out since the last one queued
}

// put is called with every packet of the device.
func (q *packetQueue) put(batch []*capture.Packet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range batch {
		if q.filter.Match(p, q.source) {
			q.add(p)
		}
	}
	if len(q.packets) > 0 {
		select {
		case q.ready <- struct{}{}:
		default:
		}
	}
}

func (q *packetQueue) add(p *capture.Packet) {
	if q.size+len(p.Data) > captureRoom {
		q.missing++
		return
	}
	if q.missing > 0 {
		marked := *p // a copy, because other clients share *p
		marked.Comment = strings.TrimSuffix(fmt.Sprintf("%d packets are missing before this one, %s", q.missing, p.Comment), ", ")
		p, q.missing = &marked, 0
	}
	q.packets = append(q.packets, p)
	q.size += len(p.Data)
}

func (q *packetQueue) take() []*capture.Packet {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.packets
	q.packets, q.size = nil, 0
	return batch
}

// Packets reads the packets of a Client's Capture.
type Packets struct {
	*capture.Reader
	conn *framer
	stop func() bool
}

// Capture reads the packets that cross the stack's device and match filter.Parse of expression. Recording starts before Capture
// returns, and ends with Close or ctx; after that Next still returns the packets recorded before.
func (c *Client) Capture(ctx context.Context, expression string) (*Packets, error) {
	conn, response, err := c.request(ctx, http.MethodGet, "/capture/"+expression, nil)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Conn.(*net.UnixConn).CloseWrite() })
	in, err := capture.NewReader(response.Body)
	if err != nil {
		stop()
		return nil, errors.Join(err, conn.Close())
	}
	return &Packets{in, conn, stop}, nil
}

// Next waits for a packet. After an error no packet follows; the error is io.EOF if the stack or ctx has ended.
func (p *Packets) Next() (capture.Packet, error) {
	packet, err := p.Reader.Next()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return packet, err
}

// Close ends the recording.
func (p *Packets) Close() error {
	p.stop()
	return p.conn.Close()
}
