package ports

import (
	"crypto/aes"
	"crypto/cipher"
	crand "crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
)

// The range of ephemeral ports (RFC 6335 section 6).
const (
	DefaultLow  = 49152
	DefaultHigh = 65535
)

// Config of a Table.
type Config struct {
	Low, High uint16    // ephemeral ports, both inclusive; 0: DefaultLow and DefaultHigh
	Rand      io.Reader // a cryptographic source, read by New only; nil: crypto/rand
}

// ephemeral chooses ports. Connections use RFC 6056's algorithm 4 with the random steps of algorithm 5: each pair of local
// address and remote has a sequence of its own that runs through the whole range before a four-tuple repeats. Other uses get
// algorithm 1.
type ephemeral struct {
	low, size uint32
	prf       cipher.Block
	counters  [256]atomic.Uint32
	mu        sync.Mutex
	source    *rand.ChaCha8
}

// New returns an empty Table. It panics when the range is empty or the random source fails.
func New(cfg Config) *Table {
	if cfg.Low == 0 {
		cfg.Low = DefaultLow
	}
	if cfg.High == 0 {
		cfg.High = DefaultHigh
	}
	if cfg.Low > cfg.High {
		panic(fmt.Sprintf("ports: empty range %d-%d", cfg.Low, cfg.High))
	}
	if cfg.Rand == nil {
		cfg.Rand = crand.Reader
	}
	var seed [32 + 16]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		panic("ports: no randomness: " + err.Error())
	}
	prf, err := aes.NewCipher(seed[32:])
	if err != nil {
		panic(err) // the only error is a key of a wrong length
	}
	t := &Table{}
	e := &t.ephemeral
	e.low, e.size = uint32(cfg.Low), uint32(cfg.High)-uint32(cfg.Low)+1
	e.prf, e.source = prf, rand.NewChaCha8([32]byte(seed[:32]))
	for i := range e.counters {
		e.counters[i].Store(e.random())
	}
	return t
}

func (e *ephemeral) random() uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return uint32(e.source.Uint64())
}

// sequence returns the first of size ports to try, and a function to be called with the number of ports tried in vain before
// one was taken.
func (e *ephemeral) sequence(local addrs, remote netip.AddrPort, size uint32) (first uint32, step func(tried uint32)) {
	out := e.mac(local.prefix, remote.Addr().As16(), [aes.BlockSize]byte{byte(remote.Port() >> 8), byte(remote.Port())})
	offset := binary.BigEndian.Uint32(out[:])           // F of RFC 6056
	counter := &e.counters[int(out[4])%len(e.counters)] // G
	return offset%size + counter.Load()%size, func(tried uint32) {
		counter.Add(tried + 1 + e.random()%4)
	}
}

// mac is the CBC-MAC of blocks, a pseudorandom function because their number is always the same.
func (e *ephemeral) mac(blocks ...[aes.BlockSize]byte) (sum [aes.BlockSize]byte) {
	for i := range blocks {
		subtle.XORBytes(sum[:], sum[:], blocks[i][:])
		e.prf.Encrypt(sum[:], sum[:])
	}
	return sum
}
