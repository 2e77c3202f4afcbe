package tcp

import "time"

// Config is what the connections of one stack have in common. It does not change once connections exist.
// The zero value of each field means the default named with it.
type Config struct {
	MSL        time.Duration // maximum segment lifetime; 30 s, so that TIME-WAIT lasts Linux's 60 s and not the RFC's 240
	InitialRTO time.Duration // before any sample (RFC 6298 section 2.1); 1 s
	MinRTO     time.Duration // what the RTO exceeds the round-trip time by at least; 200 ms as Linux, a deliberate deviation from RFC 6298 section 2.4's 1 s
	MaxRTO     time.Duration // 120 s
	DelayedAck time.Duration // at most 500 ms (RFC 9293 section 3.8.6.3); 40 ms
	FinTimeout time.Duration // how long a closed socket waits in FIN-WAIT-2; 60 s

	SynRetries    int // retransmissions of a SYN before giving up; 6 as Linux, which takes 127 s; RFC 9293 section 3.8.3 asks for 3 minutes, which 7 give
	SynAckRetries int // retransmissions of a SYN,ACK, unless TCP_SYNCNT says otherwise; 5 as Linux: who is silent is forgotten after 63 s
	DataRetries   int // retransmissions of data before giving up; 15, which takes over 15 minutes

	MinMSS int // taken for any smaller MSS option, so that a peer cannot ask for the work of tiny segments; 48 bytes as Linux, 536 is safe where all peers are known

	InitialRcvBuf int // octets; 256 KiB
	MaxRcvBuf     int // automatic sizing stops here; 8 MiB
	InitialSndBuf int // octets; 256 KiB
	MaxSndBuf     int // automatic sizing stops here; 8 MiB

	NoSACK        bool // do not offer or accept selective acknowledgment (RFC 2018)
	NoTimestamps  bool // nor timestamps (RFC 7323)
	NoWindowScale bool // nor window scaling (RFC 7323)

	ECN ECN // explicit congestion notification (RFC 3168); ECNAccept

	Congestion string // one of Algorithms; cubic

	Stats *Stats // where to count; nil: nowhere anyone looks
}

// WithDefaults returns the Config with every zero field set.
func (g Config) WithDefaults() Config {
	set(&g.MSL, 30*time.Second)
	set(&g.InitialRTO, time.Second)
	set(&g.MinRTO, 200*time.Millisecond)
	set(&g.MaxRTO, 120*time.Second)
	set(&g.DelayedAck, 40*time.Millisecond)
	set(&g.FinTimeout, 60*time.Second)
	set(&g.SynRetries, 6)
	set(&g.SynAckRetries, 5)
	set(&g.DataRetries, 15)
	set(&g.MinMSS, 48)
	set(&g.InitialRcvBuf, 256<<10)
	set(&g.MaxRcvBuf, 8<<20)
	set(&g.InitialSndBuf, 256<<10)
	set(&g.MaxSndBuf, 8<<20)
	set(&g.Congestion, Algorithms[0])
	if g.Stats == nil {
		g.Stats = new(Stats)
	}
	return g
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
