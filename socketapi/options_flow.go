package socketapi

import (
	"encoding/binary"
	"math"
	"syscall"

	"tunstack/tcp"
)

// minClamp is half of the smallest SO_RCVBUF, in bytes.
const minClamp = 2304 / 2

func getWindowClamp(so *socket) int { return so.tcp().Params().WindowClamp }

// setWindowClamp takes bytes, at least minClamp; 0 removes the bound, and is refused on a connection.
func setWindowClamp(so *socket, n int) error {
	switch {
	case n != 0:
		n = max(n, minClamp)
	case so.tcp().Info().State != tcp.Closed:
		return syscall.EINVAL
	}
	so.tcp().SetParams(func(p *tcp.Params) { p.WindowClamp = n })
	return nil
}

func getNotsentLowat(so *socket) int { return int(int32(so.tcp().Params().NotsentLowat)) }

// setNotsentLowat takes bytes as a C unsigned int; 0 removes the bound.
func setNotsentLowat(so *socket, n int) error {
	so.tcp().SetParams(func(p *tcp.Params) { p.NotsentLowat = int(uint32(n)) })
	return nil
}

// setStreamLowat takes bytes: 0 is 1, and below 0 is the largest int.
func setStreamLowat(so *socket, n int) error {
	so.rcvLowat.Store(int32(lowat(n)))
	so.tcp().SetParams(func(p *tcp.Params) { p.RcvLowat = lowat(n) })
	return nil
}

// lowat is the value of SO_RCVLOWAT as Linux keeps it.
func lowat(n int) int {
	switch {
	case n < 0:
		return math.MaxInt32
	case n == 0:
		return 1
	}
	return n
}

// unpaced is SO_MAX_PACING_RATE without a bound: all bits set.
const unpaced = -1

func getPacingRate(so *socket) (any, error) {
	return maxPacingRate(so.tcp().Params().MaxPacingRate), nil
}

// maxPacingRate is the bound in Linux's form: all bits set without a bound.
func maxPacingRate(rate uint64) uint64 {
	if rate == 0 {
		return math.MaxUint64
	}
	return rate
}

// setPacingRate takes bytes a second, in four bytes or eight; all bits set remove the bound.
func setPacingRate(so *socket, v optvalue) error {
	rate, err := v.rate()
	if err != nil {
		return err
	}
	if rate == math.MaxUint64 {
		rate = 0
	}
	so.tcp().SetParams(func(p *tcp.Params) { p.MaxPacingRate = rate })
	return nil
}

// rate is the value of SO_MAX_PACING_RATE in bytes per second.
func (v optvalue) rate() (uint64, error) {
	if len(v) >= 8 {
		return binary.NativeEndian.Uint64(v), nil
	}
	n, err := v.int()
	if n == -1 {
		return math.MaxUint64, err
	}
	return uint64(uint32(n)), err
}

// keptRate is SO_MAX_PACING_RATE of a socket that does not pace: Linux leaves that to the queueing discipline fq.
var keptRate = option{
	get: func(so *socket) (any, error) { return uint64(so.value(SOL_SOCKET, SO_MAX_PACING_RATE)), nil },
	set: func(so *socket, v optvalue) error {
		rate, err := v.rate()
		if err == nil {
			so.keep(SOL_SOCKET, SO_MAX_PACING_RATE, int(rate))
		}
		return err
	},
}

// keptLowat is SO_RCVLOWAT of a datagram socket, which is readable with one datagram.
var keptLowat = number(math.MinInt32, math.MaxInt32,
	func(so *socket) int { return so.value(SOL_SOCKET, SO_RCVLOWAT) },
	func(so *socket, n int) error { so.keep(SOL_SOCKET, SO_RCVLOWAT, lowat(n)); return nil })
