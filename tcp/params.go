package tcp

import "time"

// Params are the settings of one connection, which its user may change at any time. Effective replaces zero values by defaults where a field
// names one.
type Params struct {
	NoDelay     bool          // TCP_NODELAY: no Nagle algorithm (RFC 9293 section 3.7.4)
	Cork        bool          // TCP_CORK: delay partial segments, for at most 200 ms
	KeepAlive   bool          // SO_KEEPALIVE (RFC 9293 section 3.8.4)
	KeepIdle    time.Duration // TCP_KEEPIDLE; 0: two hours
	KeepIntvl   time.Duration // TCP_KEEPINTVL; 0: 75 s
	KeepCnt     int           // TCP_KEEPCNT; 0: 9 probes
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: the number of retransmissions decides
	SynRetries  int           // TCP_SYNCNT; 0: Config.SynRetries
	MaxSeg      int           // TCP_MAXSEG: bounds the MSS of both directions; 0: the MTU bounds it
	RcvBuf      int           // SO_RCVBUF: fixed size in bytes; 0: sized automatically
	SndBuf      int           // SO_SNDBUF: fixed size in bytes; 0: sized automatically
	Congestion  string        // TCP_CONGESTION: one of Algorithms; "": the stack's default
	OOBInline   bool          // SO_OOBINLINE: urgent data stays in the stream

	RcvLowat     int           // SO_RCVLOWAT: least number of received bytes that make the connection readable; 0: 1
	NotsentLowat int           // TCP_NOTSENT_LOWAT: number of unsent bytes from which the connection is not writable; 0: no bound
	WindowClamp  int           // TCP_WINDOW_CLAMP: the largest window to announce, in bytes; 0: the size of the buffer
	FinTimeout   time.Duration // TCP_LINGER2: time of an orphan in FIN-WAIT-2; 0: Config.FinTimeout; negative: it ends at once

	MaxPacingRate uint64 // SO_MAX_PACING_RATE: bytes of data a second, with any congestion control; 0: no bound
}

// The defaults of keep-alive (RFC 9293 section 3.8.4, Linux tcp(7)).
const (
	keepIdle  = 2 * time.Hour
	keepIntvl = 75 * time.Second
	keepCnt   = 9
)

// Effective returns the settings with the defaults of a stack with the configuration g in place of zero values.
func (p Params) Effective(g *Config) Params {
	set(&p.KeepIdle, keepIdle)
	set(&p.KeepIntvl, keepIntvl)
	set(&p.KeepCnt, keepCnt)
	set(&p.SynRetries, g.SynRetries)
	set(&p.RcvBuf, g.InitialRcvBuf)
	set(&p.RcvLowat, 1)
	set(&p.FinTimeout, g.FinTimeout)
	set(&p.SndBuf, g.InitialSndBuf)
	set(&p.Congestion, g.Congestion)
	return p
}
