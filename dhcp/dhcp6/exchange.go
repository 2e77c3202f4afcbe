package dhcp6

import (
	"math/rand/v2"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Times of RFC 8415 section 7.6.
const (
	maxRT      = 3600 * time.Second // SOL_MAX_RT, INF_MAX_RT
	renewRT    = 10 * time.Second   // REN_TIMEOUT, REB_TIMEOUT
	maxRenewRT = 600 * time.Second  // REN_MAX_RT, REB_MAX_RT
)

// timing are the parameters of an exchange (RFC 8415 section 15).
type timing struct {
	delay    time.Duration // of the first message, at most; it is random
	irt, mrt time.Duration // first and largest retransmission time; mrt 0: none
	mrc      int           // messages; 0: any number
	end      time.Duration // when it ends: the begin plus MRD; 0: never
}

// exchange is a message that is repeated until it is answered.
type exchange struct {
	timing
	xid   dhcpv6.TransactionID
	begun time.Duration // when the first message was sent
	rt    time.Duration
	tries int
	due   time.Duration // the next message, or the end
}

func (e *exchange) begin(random *rand.Rand, now time.Duration, t timing) {
	v := random.Uint32()
	*e = exchange{timing: t, xid: dhcpv6.TransactionID{byte(v >> 16), byte(v >> 8), byte(v)}, begun: now, due: now}
	if t.delay > 0 {
		e.due = now + time.Duration(random.Int64N(int64(t.delay)))
	}
}

// over reports whether the exchange has ended without an answer.
func (e *exchange) over(now time.Duration) bool {
	return e.mrc > 0 && e.tries >= e.mrc || e.end > 0 && now >= e.end
}

// sent sets the time of the next message. That of the first Solicit is longer than IRT, so that Advertises can be collected (RFC 8415 section
// 18.2.1).
func (e *exchange) sent(random *rand.Rand, now time.Duration, solicit bool) {
	if e.tries == 0 {
		e.begun = now
		e.rt = e.irt + fuzz(random, e.irt)
		if solicit {
			e.rt = max(e.rt, 2*e.irt-e.rt) // |RAND|
		}
	} else if e.rt = 2*e.rt + fuzz(random, e.rt); e.mrt > 0 && e.rt > e.mrt {
		e.rt = e.mrt + fuzz(random, e.mrt)
	}
	e.tries++
	e.due = now + e.rt
	if e.end > 0 {
		e.due = min(e.due, max(e.end, now))
	}
}

// fuzz is a random time of at most a tenth of t, before or after.
func fuzz(random *rand.Rand, t time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(t)/5+1)) - t/10
}

// elapsed is the time since the first message of the exchange, for the option (RFC 8415 section 21.9).
func (e *exchange) elapsed(now time.Duration) time.Duration {
	if e.tries == 0 {
		return 0
	}
	return min(now-e.begun, 0xffff*10*time.Millisecond)
}
