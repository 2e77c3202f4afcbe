package tcp

import (
	"slices"
	"time"
)

// rateSampler measures the delivery rate (draft-ietf-ccwg-bbr-06 section 4.1).
type rateSampler struct {
	delivered, lost uint64         // bytes so far
	deliveredAt     time.Duration  // when delivered last increased
	firstSent       time.Duration  // time of sending of the flight that was delivered last: start of the next sample's sending interval
	limitedUntil    uint64         // samples are application-limited until so many bytes are delivered; 0: they are not
	log             []transmission // Invariant: ordered by at
}

// transmission is the state of the sampler when a flight was sent. A flight finds it by its time of sending.
type transmission struct {
	at, deliveredAt, firstSent time.Duration
	delivered, lost            uint64
	inFlight                   int // bytes in flight, this transmission included
	limited                    bool
}

const transmissionSize = 56

// rateSample is the measurement that an ACK allows. Its interval begins when the newest flight that the ACK reports was sent.
type rateSample struct {
	rate      float64       // bytes a second; 0: unknown
	delivered int           // bytes delivered in the interval
	prior     uint64        // bytes delivered before the interval
	lost      int           // bytes marked as lost in the interval
	inFlight  int           // bytes in flight at its beginning
	acked     int           // bytes that the ACK reports for the first time
	rtt       time.Duration // 0: unknown
	limited   bool          // the application or the peer's window limited sending
	windowed  bool          // the congestion window limited sending
}

// sent records the transmission of n bytes, after which inFlight bytes are in flight.
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

// prune removes the transmissions that no flight refers to, and grows the log if few are removed.
func (r *rateSampler) prune(b *scoreboard) {
	oldest := time.Duration(1<<63 - 1)
	for p := b.first(); b.valid(p); p = b.next(p) {
		oldest = min(oldest, b.at(p).sent)
	}
	i, _ := r.find(oldest)
	n := copy(r.log, r.log[i:])
	r.log = slices.Grow(r.log[:n], max(n, b.len(), 16)) // so that the next prune comes after at least as many transmissions as it visits flights
}

// at returns the transmission at a time; false if the log does not have it.
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

// forget empties the log, because nothing is in flight.
func (r *rateSampler) forget() {
	r.log = r.log[:0]
	if cap(r.log) > 64 {
		r.log = nil
	}
}

// acked returns the sample of a delivery. If the interval is shorter than the minimum RTT the rate stays unknown, because it would measure ACK
// compression, not the path.
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

// limit marks the samples as application-limited until the bytes in flight are delivered.
func (r *rateSampler) limit(inFlight int) {
	r.limitedUntil = max(r.delivered+uint64(inFlight), 1)
}
