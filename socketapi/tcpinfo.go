package socketapi

import (
	"time"

	"tunstack/tcp"
)

// TCPInfo is Linux's struct tcp_info as of 6.18, which TCP_INFO reads. A shorter buffer gets its start. Times are in microseconds.
// Fields that the stack does not measure are zero.
type TCPInfo struct {
	State, CAState, Retransmits, Probes, Backoff, Options uint8
	Wscale                                                uint8 // the peer's shift in the lower four bits, the stack's in the upper four
	AppLimited                                            uint8

	RTO, ATO, SndMSS, RcvMSS                                 uint32
	Unacked, Sacked, Lost, Retrans, Fackets                  uint32 // segments
	LastDataSent, LastAckSent, LastDataRecv, LastAckRecv     uint32
	PMTU, RcvSsthresh, RTT, RTTVar                           uint32
	SndSsthresh, SndCwnd                                     uint32 // segments
	Advmss, Reordering, RcvRTT, RcvSpace, TotalRetrans       uint32
	PacingRate, MaxPacingRate, BytesAcked, BytesReceived     uint64
	SegsOut, SegsIn, NotsentBytes, MinRTT                    uint32
	DataSegsIn, DataSegsOut                                  uint32
	DeliveryRate, BusyTime, RwndLimited, SndbufLimited       uint64
	Delivered, DeliveredCE                                   uint32
	BytesSent, BytesRetrans                                  uint64
	DSACKDups, ReordSeen, RcvOoopack, SndWnd, RcvWnd, Rehash uint32
	TotalRTO, TotalRTORecoveries                             uint16
	TotalRTOTime                                             uint32
	ReceivedCE                                               uint32 // segments
	DeliveredE1, DeliveredE0, DeliveredCEBytes               uint32
	ReceivedE1, ReceivedE0, ReceivedCEBytes                  uint32
	AccECNFailMode, AccECNOptSeen                            uint16
}

// Bits of TCPInfo.Options.
const (
	TCPI_OPT_TIMESTAMPS = 1
	TCPI_OPT_SACK       = 2
	TCPI_OPT_WSCALE     = 4
	TCPI_OPT_ECN        = 8
)

// linuxStates are Linux's numbers of the states.
var linuxStates = [...]uint8{
	tcp.Established: 1, tcp.SynSent: 2, tcp.SynReceived: 3, tcp.FinWait1: 4, tcp.FinWait2: 5, tcp.TimeWait: 6,
	tcp.Closed: 7, tcp.CloseWait: 8, tcp.LastAck: 9, tcp.Listen: 10, tcp.Closing: 11,
}

// linuxCAStates are Linux's numbers of the states of congestion control.
var linuxCAStates = [...]uint8{tcp.CAOpen: 0, tcp.CARecovery: 3, tcp.CALoss: 4}

func newTCPInfo(i tcp.Info) TCPInfo {
	micro := func(d time.Duration) uint32 { return uint32(d / time.Microsecond) }
	segments := func(bytes int) uint32 {
		mss := max(i.SndMSS, 1)
		return uint32((bytes + mss - 1) / mss)
	}
	return TCPInfo{
		State: linuxStates[i.State], CAState: linuxCAStates[i.CAState],
		Retransmits: uint8(min(i.Retransmits, 255)), Backoff: uint8(i.Backoff),
		Options: infoOptions(i.Options), Wscale: i.SndWscale&15 | i.RcvWscale<<4, PMTU: uint32(i.PMTU),
		RTO: micro(i.RTO), ATO: micro(i.ATO), SndMSS: uint32(i.SndMSS), RcvMSS: uint32(i.RcvMSS),
		Unacked: segments(i.Unacked), Sacked: segments(i.Sacked), Lost: segments(i.Lost),
		RTT: micro(i.RTT), RTTVar: micro(i.RTTVar), MinRTT: micro(i.MinRTT), RcvRTT: micro(i.RcvRTT),
		SndSsthresh: segments(i.SndSsthresh), SndCwnd: segments(i.SndCwnd),
		RcvSpace: uint32(i.RcvSpace), TotalRetrans: uint32(i.TotalRetrans),
		BytesAcked: i.BytesAcked, BytesReceived: i.BytesReceived, BytesSent: i.BytesSent, BytesRetrans: i.BytesRetrans,
		SegsOut: uint32(i.SegsOut), SegsIn: uint32(i.SegsIn), NotsentBytes: uint32(i.NotsentBytes),
		SndWnd: uint32(i.SndWnd), RcvWnd: uint32(i.RcvWnd), PacingRate: i.PacingRate, DeliveryRate: i.DeliveryRate,
		MaxPacingRate: maxPacingRate(i.MaxPacingRate),
	}
}

// infoOptions are the bits of the negotiated options.
func infoOptions(n tcp.Negotiated) (bits uint8) {
	for _, o := range [...]struct {
		flag tcp.Negotiated
		bit  uint8
	}{
		{tcp.UsesTimestamps, TCPI_OPT_TIMESTAMPS}, {tcp.UsesSACK, TCPI_OPT_SACK},
		{tcp.UsesWindowScale, TCPI_OPT_WSCALE}, {tcp.UsesECN, TCPI_OPT_ECN},
	} {
		if n.Has(o.flag) {
			bits |= o.bit
		}
	}
	return bits
}
