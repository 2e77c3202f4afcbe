package tcp

import "time"

// Config is the configuration of all connections of one stack. It must not change while connections exist. A zero field has the default that its
// comment names last.
type Config struct {
	MSL        time.Duration // maximum segment lifetime; 30 s, so that TIME-WAIT lasts Linux's 60 s and not the RFC's 240
	InitialRTO time.Duration // RTO before the first RTT sample (RFC 6298 section 2.1); 1 s
	MinRTO     time.Duration // least difference of RTO and SRTT; 200 ms as in Linux, a deliberate deviation from the 1 s of RFC 6298 section 2.4
	MaxRTO     time.Duration // largest RTO; 120 s
	DelayedAck time.Duration // longest delay of an ACK, at most 500 ms (RFC 9293 section 3.8.6.3); 40 ms
	FinTimeout time.Duration // time of an orphan in FIN-WAIT-2; 60 s

	SynRetries    int // retransmissions of a SYN; 6 as in Linux, which take 127 s. RFC 9293 section 3.8.3 asks for 3 minutes, which needs 7
	SynAckRetries int // retransmissions of a SYN,ACK without TCP_SYNCNT; 5 as in Linux: a connection to a silent peer ends after 63 s
	DataRetries   int // retransmissions of data; 15, which take more than 15 minutes

	MinMSS int // replaces a smaller MSS option, so that a peer cannot cause the cost of tiny segments; 48 bytes as in Linux. 536 is safe if all peers are known

	InitialRcvBuf int // bytes; 256 KiB
	MaxRcvBuf     int // bound of the automatic sizing in bytes; 8 MiB
	InitialSndBuf int // bytes; 256 KiB
	MaxSndBuf     int // bound of the automatic sizing in bytes; 8 MiB

	NoSACK        bool // do not offer or accept selective acknowledgment (RFC 2018)
	NoTimestamps  bool // do not offer or accept timestamps (RFC 7323)
	NoWindowScale bool // do not offer or accept window scaling (RFC 7323)

	ECN ECN // explicit congestion notification (RFC 3168); ECNAccept

	Congestion string // one of Algorithms; cubic

	Stats *Stats // the counters; nil: new ones
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

// set sets a zero field to value.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
