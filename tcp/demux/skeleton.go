// Package demux joins the pure TCP machine of package tcp to the stack: it finds the connection a segment belongs to,
// and gives each connection a lock, timers and an owner.
package demux

import (
	"io"
	"net/netip"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/poll"
	"tunstack/internal/timer"
	"tunstack/ipv4"
	"tunstack/tcp"
)

// Config of a Demux; zero values mean the documented defaults.
type Config struct {
	Clock             clock.Clock
	Timers            *timer.Queue
	Rand              io.Reader // a cryptographic source, read at the start; nil: crypto/rand
	PortLow, PortHigh uint16    // ephemeral ports; 0: 49152-65535
}

// Demux is the TCP layer of one host.
type Demux struct{}

// New returns the TCP layer and registers it with ip.
func New(ip *ipv4.Stack, cfg Config) *Demux { panic("skeleton") }

// Endpoint is one TCP socket: first idle, then a listener or a connection. No method blocks: what cannot be done
// now is syscall.EAGAIN, and Waiters tells when to try again. All are safe for concurrent use.
type Endpoint struct{}

// NewEndpoint returns an idle socket.
func (d *Demux) NewEndpoint() *Endpoint { panic("skeleton") }

// Endpoints lists all sockets for netstat, TIME-WAIT and half-open ones included.
func (d *Demux) Endpoints() []Status { panic("skeleton") }

// Stats is a pointer to the layer's counters, for stats.Read.
func (d *Demux) Stats() any { panic("skeleton") }

// Status is one row of netstat.
type Status struct {
	State         string // as ss prints it: ESTAB, LISTEN, TIME-WAIT ...
	RecvQ, SendQ  int    // octets; of a listener: waiting connections and backlog
	Local, Remote netip.AddrPort
}

// Bind errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL when already bound. Port 0 picks a free one. A zero Addr is the wildcard.
func (e *Endpoint) Bind(local netip.AddrPort) error { panic("skeleton") }

// SetReuse sets SO_REUSEADDR and SO_REUSEPORT, before Bind.
func (e *Endpoint) SetReuse(addr, port bool) { panic("skeleton") }

// Listen errors: EINVAL on a connected socket. An unbound socket gets an ephemeral port. A second call changes the backlog.
func (e *Endpoint) Listen(backlog int) error { panic("skeleton") }

// Accept errors: EAGAIN, EINVAL when not listening.
func (e *Endpoint) Accept() (*Endpoint, error) { panic("skeleton") }

// Connect starts an active open: EINPROGRESS at the first call, EALREADY while it lasts, EISCONN once connected; the pending
// error (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH ...) once when it has failed; at once ENETUNREACH, EADDRINUSE, EADDRNOTAVAIL.
func (e *Endpoint) Connect(remote netip.AddrPort) error { panic("skeleton") }

// Read moves received octets to p: EAGAIN when there are none, (0, nil) at the end of the stream, ENOTCONN, and once the
// pending error (ECONNRESET, ETIMEDOUT). peek leaves them in place.
func (e *Endpoint) Read(p []byte, peek bool) (int, error) { panic("skeleton") }

// Write queues octets of p, perhaps not all: EAGAIN when none fits; EPIPE, ENOTCONN, and once the pending error.
// more (MSG_MORE) holds back a partial segment.
func (e *Endpoint) Write(p []byte, more bool) (int, error) { panic("skeleton") }

// Shutdown ends reading, writing or both (POSIX shutdown). Errors: ENOTCONN.
func (e *Endpoint) Shutdown(read, write bool) error { panic("skeleton") }

// Close gives the socket up: queued data still goes out, unless data was left unread or SetLinger(true, 0) asks for a RST.
// What remains to be done happens without an owner. Closing a listener resets what was not accepted.
// SO_LINGER with a time is the caller's part: it waits for Lingering to become false.
func (e *Endpoint) Close() error { panic("skeleton") }

// Lingering says whether sent data or the FIN is still unacknowledged; the waiters are told Hup when that ends.
func (e *Endpoint) Lingering() bool { panic("skeleton") }

// Abort resets the connection (RFC 9293 section 3.10.5).
func (e *Endpoint) Abort() { panic("skeleton") }

// SetLinger sets SO_LINGER; only the combination on and zero changes what Close does.
func (e *Endpoint) SetLinger(on bool, d time.Duration) { panic("skeleton") }

// Linger is what SetLinger set.
func (e *Endpoint) Linger() (bool, time.Duration) { panic("skeleton") }

// Local is the own address; the zero AddrPort before Bind or Connect.
func (e *Endpoint) Local() netip.AddrPort { panic("skeleton") }

// Remote is the peer's address; false when not connected.
func (e *Endpoint) Remote() (netip.AddrPort, bool) { panic("skeleton") }

// Ready is what the socket can do now.
func (e *Endpoint) Ready() poll.Mask { panic("skeleton") }

// Waiters are told whenever Ready gains an event.
func (e *Endpoint) Waiters() *poll.Queue { panic("skeleton") }

// TakeError returns and clears the pending error (SO_ERROR).
func (e *Endpoint) TakeError() error { panic("skeleton") }

// Params and SetParams read and change the settings of the connection; accepted connections inherit the listener's.
func (e *Endpoint) Params() tcp.Params { panic("skeleton") }

// SetParams is the writing half of Params.
func (e *Endpoint) SetParams(change func(*tcp.Params)) { panic("skeleton") }

// SetIP sets the IP_TOS and IP_TTL of the segments; TTL 0 is the stack's default.
func (e *Endpoint) SetIP(tos, ttl uint8) { panic("skeleton") }

// IP is what SetIP set.
func (e *Endpoint) IP() (tos, ttl uint8) { panic("skeleton") }

// MSS is the effective send MSS (TCP_MAXSEG reads it).
func (e *Endpoint) MSS() int { panic("skeleton") }

// Info is TCP_INFO.
func (e *Endpoint) Info() tcp.Info { panic("skeleton") }

// Buffered is the number of octets readable now (FIONREAD) and queued unacknowledged (SIOCOUTQ).
func (e *Endpoint) Buffered() (in, out int) { panic("skeleton") }
