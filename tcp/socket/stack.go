// Package socket joins the pure TCP machine of package tcp to the stack: it finds the connection that a segment belongs to, and
// gives each connection a lock and a timer. A Socket is the TCP part of a Berkeley socket; it never blocks.
package socket

import (
	"crypto/rand"
	"io"
	"sync/atomic"
	"time"

	"tunstack/internal/clock"
	"tunstack/internal/ports"
	"tunstack/internal/timer"
	"tunstack/ip"
	"tunstack/tcp"
)

// Config of a Stack; zero values mean the documented defaults.
type Config struct {
	tcp.Config
	Clock             clock.Clock
	Timers            *timer.Queue
	Rand              io.Reader // a cryptographic source, read at the start; nil: crypto/rand
	PortLow, PortHigh uint16    // ephemeral ports; 0: 49152-65535
	MaxHalfOpen       int       // connections in SYN-RECEIVED of all listeners, a quarter of them from one source, beyond which SYNs are answered with cookies; 1024
	OrphanMemory      int       // bytes that connections that their users have closed may hold, 4 KiB for each included; 256 MiB
}

// Stack is the TCP layer.
type Stack struct {
	cfg       Config
	ip        *ip.Stack
	ports     *ports.Table
	conns     table
	listeners listeners
	orphans   orphans
	halfOpen  halfOpen
	secret    secret
	cookies   cookies
	stats     *tcp.Stats
	tracers   atomic.Pointer[tracerOf]   // nil: there are none
	params    atomic.Pointer[tcp.Params] // the latest of share
}

// New returns the TCP layer and registers it with network. It panics when the random source fails.
func New(network *ip.Stack, cfg Config) *Stack {
	cfg.Config = cfg.Config.WithDefaults()
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.MaxHalfOpen == 0 {
		cfg.MaxHalfOpen = 1024
	}
	if cfg.OrphanMemory == 0 {
		cfg.OrphanMemory = 256 << 20
	}
	s := &Stack{cfg: cfg, ip: network, stats: cfg.Stats,
		ports: ports.New(ports.Config{Rand: cfg.Rand, Low: cfg.PortLow, High: cfg.PortHigh})}
	s.secret.init(cfg.Rand)
	s.cookies.key.init(cfg.Rand)
	s.conns.init(s.secret.table())
	s.listeners.key = s.conns.key
	network.Register(ip.ProtocolTCP, s)
	return s
}

// share returns Params with the value p that nobody changes. Most connections of a stack have the same, and share them: this saves a quarter of
// a kilobyte for each. A new socket has the zero value, which therefore does not replace the latest other one.
func (s *Stack) share(p tcp.Params) *tcp.Params {
	if p == (tcp.Params{}) {
		return &unset
	}
	if last := s.params.Load(); last != nil && *last == p {
		return last
	}
	s.params.Store(&p)
	return &p
}

var unset tcp.Params

// Stats is a pointer to the layer's counters, for stats.Read.
func (s *Stack) Stats() any { return s.stats }

func (s *Stack) now() time.Duration { return s.cfg.Clock.Now() }
