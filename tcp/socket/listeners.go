package socket

import (
	"slices"
	"sync"

	"tunstack/ip"
)

// listeners finds the listener for a segment.
type listeners struct {
	key   uint64 // of the hash that divides connections between listeners
	mu    sync.RWMutex
	ports map[uint16][]*listener
}

func (t *listeners) add(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ports == nil {
		t.ports = make(map[uint16][]*listener)
	}
	t.ports[l.local.Port()] = append(t.ports[l.local.Port()], l)
}

func (t *listeners) remove(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(t.ports[l.local.Port()], func(o *listener) bool { return o == l })
	if t.ports[l.local.Port()] = rest; len(rest) == 0 {
		delete(t.ports, l.local.Port())
	}
}

// find prefers a listener at the very address over one at the wildcard, and then one that is bound to the interface. Several
// that are alike (SO_REUSEPORT) divide the connections by a hash of the FourTuple.
func (t *listeners) find(a *arrival) *listener {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := t.ports[a.id.LocalPort]
	best, n := 0, 0
	for _, l := range all {
		switch score := l.score(a); {
		case score > best:
			best, n = score, 1
		case score == best:
			n++
		}
	}
	if best == 0 {
		return nil
	}
	return nth(all, a, best, int(a.id.Hash(t.key)%uint64(n)))
}

// nth is the listener that has a score and comes behind n others with it.
func nth(all []*listener, a *arrival, score, n int) *listener {
	for _, l := range all {
		if l.score(a) != score {
			continue
		}
		if n == 0 {
			return l
		}
		n--
	}
	return nil
}

// score tells how well a listener suits a segment; 0: not at all.
func (l *listener) score(a *arrival) int {
	score := 1
	switch {
	case !l.socket.receivesFrom(a.in):
		return 0
	case l.local.Addr() == a.id.LocalAddr():
		score = 4
	case !l.heard.Has(a.id.LocalAddr()):
		return 0
	}
	if l.versions == ip.V4 { // as on Linux preferred to a dual-stack socket
		score++
	}
	if r := l.socket.restricted.Load(); r != nil && r.via.Device != nil {
		score++
	}
	return score
}
