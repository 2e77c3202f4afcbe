package ipv4

import (
	"testing"

	"tunstack/internal/packet"
)

// FuzzInput feeds bytes to a router with all options on. Every packet sent is well formed. (SEC-015)
func FuzzInput(f *testing.F) {
	h := transit()
	f.Add(dgram(h, pattern(600)), false, byte(0))
	h.Options = opt(131, 4, "192.0.2.9")
	f.Add(dgram(h, pattern(20)), true, byte(1))
	h.MF, h.Dst = true, ownAddr
	f.Add(dgram(h, pattern(24)), false, byte(2))
	f.Fuzz(func(t *testing.T, b []byte, fixChecksum bool, cast byte) {
		if len(b) > 4000 {
			return
		}
		l, w := router(t, config{Config: Config{AcceptSourceRouted: true, ForwardSourceRouted: true}, SendRedirects: true}, 576)
		if n := HeaderLen; fixChecksum && len(b) >= n {
			n = max(n, min(len(b), int(b[0]&15)*4))
			putChecksum(b[:n])
		}
		l.recvAs(b, packet.Cast(cast%3))
		for _, s := range append(w.take(), l.wire0.take()...) {
			if !validChecksum(s.Data) || int(s.h.TotalLen) != len(s.Data) || len(s.Data) > 1500 {
				t.Fatalf("sent % x", s.Data)
			}
		}
		l.eth0.Unreachable(l.now, packet.From(b))
		l.advance(l.Config().ReassemblyTimeout)
		if l.FragmentMemory() != 0 {
			t.Fatal("reassembly keeps memory")
		}
	})
}
