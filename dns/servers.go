package dns

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// ask asks the servers until one answers. A server that reports a failure is not asked again; those that are silent or cannot be
// reached are asked in each round, for twice as long as in the round before.
func (r *Resolver) ask(ctx context.Context, s *Settings, q question) (*reply, error) {
	servers := r.order(s)
	if len(servers) == 0 {
		return nil, ErrNoServer
	}
	var tried ServersError
	for round := range s.Attempts {
		timeout := min(s.Timeout<<round, maxTimeout)
		for i := 0; i < len(servers); {
			server := servers[i]
			m, err := r.askServer(ctx, s, server, q, timeout)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err == nil {
				return m, nil
			}
			tried = append(tried, Attempt{server, err})
			if _, failed := err.(RCodeError); failed {
				servers = slices.Delete(servers, i, i+1)
				continue
			}
			i++
		}
	}
	return nil, tried
}

// askServer asks one server. An error code other than NXDOMAIN is an RCodeError.
func (r *Resolver) askServer(ctx context.Context, s *Settings, server netip.AddrPort, q question, timeout time.Duration) (*reply, error) {
	within, cancel := r.within(ctx, timeout)
	defer cancel()
	m, err := r.exchange(within, s, server, q, !s.NoEDNS)
	if err == nil && !s.NoEDNS && noEDNS(m.rcode) {
		m, err = r.exchange(within, s, server, q, false)
	}
	if err != nil && within.Err() != nil {
		err = context.Cause(within)
	}
	if _, silent := err.(silentError); silent {
		r.stats.Silent.Inc()
		r.silence.note(server, r.cfg.Now())
	}
	switch {
	case err != nil:
		return nil, err
	case m.rcode != dnsmessage.RCodeSuccess && m.rcode != dnsmessage.RCodeNameError:
		return nil, RCodeError(m.rcode)
	case m.lame:
		return nil, errLame
	}
	return m, nil
}

// order is the order in which servers are asked. Those that have lately been silent come last.
func (r *Resolver) order(s *Settings) []netip.AddrPort {
	list := slices.Clone(s.Servers)
	if s.Rotate && len(list) > 0 {
		first := int(r.turn.Add(1)-1) % len(list)
		list = slices.Concat(list[first:], list[:first])
	}
	now := r.cfg.Now()
	slices.SortStableFunc(list, func(a, b netip.AddrPort) int {
		switch x, y := r.silence.recent(a, now), r.silence.recent(b, now); {
		case x && !y:
			return 1
		case y && !x:
			return -1
		}
		return 0
	})
	return list
}

func sameServers(a, b []netip.AddrPort) bool { return slices.Equal(a, b) }

// silenceTime is the time for which a silent server is asked last. RFC 2308 section 7.2 allows five minutes.
const silenceTime = 30 * time.Second

// silence remembers which of the configured servers were silent.
type silence struct {
	mu   sync.Mutex
	last map[netip.AddrPort]time.Duration
}

func (s *silence) note(server netip.AddrPort, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[netip.AddrPort]time.Duration{}
	}
	s.last[server] = now
}

func (s *silence) recent(server netip.AddrPort, now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.last[server]
	return ok && now-at < silenceTime
}

func (s *silence) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
}
