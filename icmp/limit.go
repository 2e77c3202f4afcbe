package icmp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// limiter bounds the errors sent (RFC 1812 section 4.3.2.8): by a token bucket for all and one per peer. Peers whose addresses
// fall on one slot take turns in it, so its memory is fixed, and the bucket for all bounds what that lets through.
//
// An error costs the bucket for all 0, 1 or 2 tokens at random, as on Linux. With a fixed cost, somebody who sends as many
// datagrams with forged sources as the bucket has tokens learns from one more of his own whether one of them found an open port.
type limiter struct {
	mu    sync.Mutex
	all   bucket
	peers [1024]struct {
		peer netip.Addr
		bucket
	}

	random                 *rand.ChaCha8
	slotKey                uint64        // odd
	interval, peerInterval time.Duration // per token; negative: no limit
	burst, peerBurst       int
}

func newLimiter(cfg Config) *limiter {
	l := new(limiter)
	l.random = rand.NewChaCha8(cfg.Secret)
	l.slotKey = l.random.Uint64() | 1
	l.interval, l.burst = time.Second/1000, 50
	l.peerInterval, l.peerBurst = time.Second, 6
	if cfg.Rate != 0 {
		l.interval = time.Second / time.Duration(cfg.Rate)
	}
	if cfg.Burst != 0 {
		l.burst = cfg.Burst
	}
	if cfg.PeerInterval != 0 {
		l.peerInterval = cfg.PeerInterval
	}
	if cfg.PeerBurst != 0 {
		l.peerBurst = cfg.PeerBurst
	}
	return l
}

// allow takes the tokens for an error to peer.
func (l *limiter) allow(now time.Duration, peer netip.Addr) bool {
	slot := &l.peers[l.slot(peer)]
	l.mu.Lock()
	defer l.mu.Unlock()
	if slot.peer != peer {
		slot.peer, slot.bucket = peer, bucket{}
	}
	if !slot.has(now, l.peerInterval, l.peerBurst) || !l.all.has(now, l.interval, l.burst) {
		return false
	}
	slot.take(now, l.peerInterval)
	l.all.take(now, l.interval*time.Duration(l.random.Uint64()%3))
	return true
}

// slot is the place of a peer.
func (l *limiter) slot(peer netip.Addr) uint64 {
	a := peer.As16()
	high, low := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])
	return (high*l.slotKey ^ low) * l.slotKey >> 54
}

// bucket is a token bucket, kept as the time at which it is full again. The zero value is full.
type bucket struct{ full time.Duration }

// has says whether there is a token.
func (b *bucket) has(now, interval time.Duration, burst int) bool {
	return interval < 0 || b.full <= now+time.Duration(burst-1)*interval
}

// take takes the tokens of a time.
func (b *bucket) take(now, cost time.Duration) { b.full = max(b.full, now) + cost }
