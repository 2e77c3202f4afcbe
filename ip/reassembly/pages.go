package reassembly

import (
	"bytes"
	"unsafe"

	"tunstack/internal/packet"
)

// pageSize is the largest payload in bytes of packet's smallest Buffer.
const pageSize = 2<<10 - packet.Headroom

// pageMemory is the memory of a page in bytes.
const pageMemory = 2<<10 + int(unsafe.Sizeof(packet.Buffer{}))

// pages holds the payload of an incomplete datagram. A page exists if one of its bytes has been received, so a fragment uses
// memory for its own bytes and not for the gap before it.
type pages [(maxPayload + pageSize - 1) / pageSize]*packet.Buffer

// each calls f for each page that b overlaps, with the matching part of b; b starts at offset at.
func (g *pages) each(at int, b []byte, f func(page **packet.Buffer, at int, part []byte)) {
	for len(b) > 0 {
		in := at % pageSize
		n := min(len(b), pageSize-in)
		f(&g[at/pageSize], in, b[:n])
		at, b = at+n, b[n:]
	}
}

// write stores b at offset at, and returns the memory in bytes of the pages that it added.
func (g *pages) write(at int, b []byte) (added int) {
	g.each(at, b, func(page **packet.Buffer, at int, part []byte) {
		if *page == nil {
			*page = packet.New(pageSize)
			(*page).Extend(pageSize)
			added += pageMemory
		}
		copy((*page).Bytes()[at:], part)
	})
	return added
}

// read fills b from offset at; all its bytes must have been received.
func (g *pages) read(at int, b []byte) {
	g.each(at, b, func(page **packet.Buffer, at int, part []byte) { copy(part, (*page).Bytes()[at:]) })
}

// equal reports whether the received bytes at offset at equal b; all of them must have been received.
func (g *pages) equal(at int, b []byte) bool {
	same := true
	g.each(at, b, func(page **packet.Buffer, at int, part []byte) {
		same = same && bytes.Equal((*page).Bytes()[at:at+len(part)], part)
	})
	return same
}

// free returns the pages' memory.
func (g *pages) free() {
	for i, page := range g {
		if page != nil {
			page.Free()
			g[i] = nil
		}
	}
}
