package socket

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"

	"tunstack/ip"
	"tunstack/tcp"
)

// secret is the key of the numbers that outsiders must not guess.
type secret [16]byte

func (k *secret) init(random io.Reader) {
	if _, err := io.ReadFull(random, k[:]); err != nil {
		panic("tcp: reading randomness: " + err.Error())
	}
}

// derive returns the two values a connection gets: the keyed function of RFC 6528 section 3, and the offset of its
// timestamps (RFC 7323 section 5.4).
func (k *secret) derive(id ip.FourTuple) (isn, tsOffset uint32) {
	var b [64]byte
	h := sha256.Sum256(id.Append(append(b[:0], k[:]...)))
	return binary.BigEndian.Uint32(h[:]), binary.BigEndian.Uint32(h[4:])
}

// table is the key of the connection table.
func (k *secret) table() uint64 {
	h := sha256.Sum256(k[:])
	return binary.BigEndian.Uint64(h[:])
}

// isn is the initial sequence number: a clock that ticks every 4 microseconds plus the keyed function.
func isn(now time.Duration, f uint32) tcp.Seq { return tcp.Seq(uint32(now/(4*time.Microsecond)) + f) }
