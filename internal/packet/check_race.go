//go:build race

package packet

import "sync/atomic"

// Under the race detector Buffers are counted, and use after Free is detected: Free overwrites the bytes, and later calls of
// Bytes, Free and the like panic.

var live atomic.Int64

// Live is the number of Buffers in use: neither freed nor collected as garbage. Without the race detector Buffers are not
// counted, and it is 0.
func Live() int { return int(live.Load()) }

func (b *Buffer) begin() { live.Add(1) }

func (b *Buffer) finish() {
	spoil := b.Bytes()
	for i := range spoil {
		spoil[i] = 0xdb
	}
	b.start, b.end = -1, -1
	live.Add(-1)
}
