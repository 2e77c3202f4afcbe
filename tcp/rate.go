package tcp

import (
	"slices"
	"time"
)

// rateSampler measures at what rate bytes are delivered (draft-ietf-ccwg-bbr-06 section 4.1).
type rateSampler struct {
	delivered, lost uint64        // bytes so far
	deliveredAt     time.Duration // when that last rose
	firstSent       time.Duration // when the flight that was delivered last had been sent: the sample's sending begins there
	limitedUntil    uint64        // the application, and not the path, sets the rate until so much is delivered; 0: it does not
	log             []transmission
}

// transmission is what was known when something was sent. The scoreboard's flights name it by their time.
type transmission struct {
	at, deliveredAt, firstSent time.Duration
	delivered, lost            uint64
	inFlight                   int // with it
	limited                    bool
}

const transmissionSize = 56

// rateSample is what an acknowledgment tells of the path.
type rateSample struct {
	rate      float64       // bytes a second; 0: unknown
	delivered int           // bytes since the newest flight that it covers was sent
	prior     uint64        // delivered before that
	lost      int           // bytes taken for lost since then
	inFlight  int           // bytes on their way then
	acked     int           // bytes newly covered
	rtt       time.Duration // 0: unknown
	limited   bool          // by the application
	windowed  bool          // by the congestion window
}

// sent records that n bytes went out, with which inFlight are on their way.
func (r *rateSampler) sent(now time.Duration, b *scoreboard, n, inFlight int) {
	if inFlight <= n {
		r.firstSent, r.deliveredAt = now, now
	}
	if i := len(r.log) - 1; i >= 0 && r.log[i].at == now {
		r.log[i].inFlight = inFlight
		return
	}
	if len(r.log) == cap(r.log) {
		r.prune(b)
	}
	r.log = append(r.log, transmission{
		at: now, deliveredAt: r.deliveredAt, firstSent: r.firstSent,
		delivered: r.delivered, lost: r.lost, inFlight: inFlight, limited: r.limitedUntil != 0,
	})
}

// prune forgets what no flight names any more, and makes room if that is too little.
func (r *rateSampler) prune(b *scoreboard) {
	oldest := time.Duration(1<<63 - 1)
	for p := b.first(); b.valid(p); p = b.next(p) {
		oldest = min(oldest, b.at(p).sent)
	}
	i, _ := r.find(oldest)
	n := copy(r.log, r.log[i:])
	r.log = slices.Grow(r.log[:n], max(n, b.len(), 16)) // not to look at all flights again before as many are sent
}

// at is what was known when something was sent at that time.
func (r *rateSampler) at(sent time.Duration) (t transmission, ok bool) {
	i, ok := r.find(sent)
	if ok {
		t = r.log[i]
	}
	return t, ok
}

func (r *rateSampler) find(at time.Duration) (int, bool) {
	return slices.BinarySearchFunc(r.log, at, func(t transmission, at time.Duration) int { return int(t.at - at) })
}

// forget forgets all: nothing is in flight.
func (r *rateSampler) forget() {
	r.log = r.log[:0]
	if cap(r.log) > 64 {
		r.log = nil
	}
}

// acked returns the sample of a delivery. A rate over less than the shortest round trip tells of acknowledgments that came in a heap.
func (r *rateSampler) acked(now time.Duration, d *delivery, minRTT time.Duration) rateSample {
	s := rateSample{acked: d.bytes, rtt: d.rtt}
	r.delivered += uint64(d.bytes)
	r.deliveredAt = now
	if r.limitedUntil != 0 && r.delivered > r.limitedUntil {
		r.limitedUntil = 0
	}
	t, ok := r.at(d.latest.sent)
	if !ok {
		return s
	}
	s.prior, s.inFlight, s.limited = t.delivered, t.inFlight, t.limited
	s.delivered, s.lost = int(r.delivered-t.delivered), int(r.lost-t.lost)
	r.firstSent = t.at
	if elapsed := max(t.at-t.firstSent, now-t.deliveredAt); elapsed >= max(minRTT, 1) {
		s.rate = float64(s.delivered) / elapsed.Seconds()
	}
	return s
}

// limit says that the application leaves the path unused from here on until what is in flight is delivered.
func (r *rateSampler) limit(inFlight int) {
	r.limitedUntil = max(r.delivered+uint64(inFlight), 1)
}
