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

// captureRoom is how many bytes of packets wait for a client before some are left out.
const captureRoom = 32 << 20

// capture handles GET /capture/FILTER: the packets that filter.Parse selects, as pcapng, until the client closes its side of the
// connection.
func (s *Server) capture(w http.ResponseWriter, r *http.Request) {
	c := s.stack.Capture()
	if c == nil {
		fail(w, errors.New("this stack has no device whose packets could be captured"))
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
		case <-r.Context().Done(): // it has said that it wants no more, and waits for the rest
			stop()
			_ = out.Write(q.take()) // if it does
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
	ready  chan struct{} // there are some

	mu      sync.Mutex
	packets []*capture.Packet
	size    int // their bytes
	missing int // packets that there was no room for, since the last that there was
}

// put is called with all packets.
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
		marked := *p // as others have it too
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

// Packets are those that a Client's Capture reads.
type Packets struct {
	*capture.Reader
	conn *framer
	stop func() bool
}

// Capture reads the packets that cross the stack's device, as far as filter.Parse selects them by expression. When it returns
// they are being recorded, until Close or the end of ctx; after that Next still returns what came before.
func (c *Client) Capture(ctx context.Context, expression string) (*Packets, error) {
	conn, response, err := c.request(ctx, "/capture/"+expression, nil)
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

// Next waits for a packet. After an error, io.EOF if the stack or ctx has ended, there are no more.
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
