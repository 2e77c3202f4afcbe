//go:build race

package packet

import "sync/atomic"

// Under the race detector Buffers are counted, and what is still done with one after Free shows: its bytes are spoilt, and
// Bytes, Free and the like panic.

var live atomic.Int64

// Live is how many Buffers are in use: neither free nor forgotten. Without the race detector nobody counts, and it is 0.
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
