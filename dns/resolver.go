// Package dns is a stub resolver: it asks recursive name servers, with the search list, options and hosts file that glibc has, and
// keeps their answers. It speaks UDP, TCP and TLS over connections that a dial function makes, so it runs on any stack.
package dns

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Usual ports of servers (RFC 1035 section 4.2, RFC 7858 section 3.1).
const (
	plainPort = 53
	tlsPort   = 853
)

// Config describes a Resolver. Only Dial is necessary.
type Config struct {
	Settings // that the resolver begins with

	// Dial makes the connections to servers: "udp" or "tcp", and an address with a port. A UDP connection must have an unpredictable
	// local port of its own and receive only from the server (RFC 5452 section 9).
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Secure makes a TLS connection of a TCP connection to a server; nil: none. With it all queries use DNS over TLS (RFC 7858). For
	// example: func(c net.Conn) net.Conn { return tls.Client(c, &tls.Config{ServerName: "dns.example"}) }.
	Secure func(net.Conn) net.Conn
	// Hosts is the path of a file in the format of hosts(5), which is read before a server is asked; "": none.
	Hosts string
	// Sort sorts the addresses of a host, the best first (RFC 6724); nil: they stay in the servers' order, IPv4 first.
	Sort func([]netip.Addr)

	CacheSize int           // largest number of answers that are kept; 0: 4096; below 0: none
	MaxTTL    time.Duration // longest time for which an answer is kept; 0: a day

	Now       func() time.Duration                          // clock; nil: the machine's
	AfterFunc func(d time.Duration, f func()) (stop func()) // timer of that clock; f does not block; nil: time.AfterFunc
}

// maxNegativeTTL is the longest time for which the resolver remembers that a name does not exist (RFC 2308 section 5 recommends
// one to three hours).
const maxNegativeTTL = time.Hour

// Resolver looks names up. Its methods are those of *net.Resolver and are safe for concurrent use.
type Resolver struct {
	cfg      Config
	stats    Stats
	settings atomic.Pointer[Settings]
	turn     atomic.Uint32 // counts queries, for Settings.Rotate
	hosts    hostsFile
	handlers sync.Map // from domain to Handler
	cache    cache
	flights  flights
	streams  streams
	silence  silence
	slots    chan struct{} // bounds the queries under way, and with them the sockets

	running sync.WaitGroup
	alive   context.Context
	cancel  context.CancelCauseFunc

	mu     sync.Mutex
	random *rand.ChaCha8 // of identifiers and orders
}

// maxQueries bounds the queries that are under way at the same time. Others wait.
const maxQueries = 256

// New returns a Resolver. It has no goroutine unless a lookup is under way or a connection to a server is open.
func New(cfg Config) *Resolver {
	r := &Resolver{cfg: cfg, slots: make(chan struct{}, maxQueries)}
	if cfg.MaxTTL == 0 {
		r.cfg.MaxTTL = 24 * time.Hour
	}
	if cfg.CacheSize == 0 {
		r.cfg.CacheSize = 4096
	}
	if cfg.Now == nil {
		start := time.Now()
		r.cfg.Now = func() time.Duration { return time.Since(start) }
	}
	if cfg.AfterFunc == nil {
		r.cfg.AfterFunc = func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, f)
			return func() { t.Stop() }
		}
	}
	r.hosts.path = cfg.Hosts
	r.alive, r.cancel = context.WithCancelCause(context.Background())
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // it never fails
	r.random = rand.NewChaCha8(seed)
	r.Configure(cfg.Settings)
	return r
}

// Configure replaces the settings. It forgets all answers if the servers differ, because another network can have other answers.
func (r *Resolver) Configure(s Settings) {
	usual := uint16(plainPort)
	if r.cfg.Secure != nil {
		usual = tlsPort
	}
	fresh := s.complete(usual)
	old := r.settings.Swap(fresh)
	if old != nil && !sameServers(old.Servers, fresh.Servers) {
		r.Flush()
	}
}

// Settings returns the settings in use, with the defaults filled in.
func (r *Resolver) Settings() Settings { return *r.settings.Load() }

// Flush forgets all answers.
func (r *Resolver) Flush() {
	r.cache.flush()
	r.silence.flush()
}

// Stats returns the counters.
func (r *Resolver) Stats() *Stats { return &r.stats }

// Close ends all lookups and connections, and returns when their goroutines have ended. Lookups that ask a server fail with
// net.ErrClosed from then on.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.cancel(net.ErrClosed)
	r.mu.Unlock()
	r.running.Wait()
}

// spawn starts a goroutine for which Close waits. After Close it ends at once by itself, because alive has ended.
func (r *Resolver) spawn(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive.Err() != nil {
		go f()
		return
	}
	r.running.Go(f)
}

// uint64 is a random number that nobody can predict.
func (r *Resolver) uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.random.Uint64()
}

// within derives a context that ends after d on the resolver's clock, with the cause silentError.
func (r *Resolver) within(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := r.cfg.AfterFunc(d, func() { cancel(silentError(d)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// past is a deadline that ends a blocked call.
var past = time.Unix(1, 0)

// guard makes blocked calls of c return when ctx ends. The caller calls stop when it does not use c for ctx any more.
func guard(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(past) }) // fails only if c is closed
}
