package capture

import (
	"fmt"
	"slices"
)

// samples4 are ICMP messages of every type and code that tcpdump names, and of some that it does not.
func samples4() (list []sample) {
	add := func(kind, code uint8, body ...[]byte) {
		message := slices.Concat(append([][]byte{{kind, code, 0, 0}}, body...)...)
		list = append(list, sample{fmt.Sprintf("ICMP %d %d", kind, code), plain(1, 2, message...)})
	}
	quote := datagram4(17, udp6("hello"))
	idSeq := []byte{0, 7, 0, 8}
	for code := range uint8(18) {
		add(3, code, words(1280), quote)
	}
	add(3, 4, words(0), quote)
	add(3, 3, words(0), datagram4(6, tcp6(1000, 0, 2, nil, "")))
	add(3, 2, words(0), datagram4(253, words(1, 2, 3)))
	add(3, 3, words(0), datagram4(253, words(1, 2, 3)))
	add(4, 0, words(0), quote)
	for code := range uint8(5) {
		add(5, code, addr("10.0.0.254"), quote)
	}
	for code := range uint8(3) {
		add(11, code, words(0), quote)
		add(12, code, []byte{20, 0, 0, 0}, quote)
	}
	for _, kind := range []uint8{0, 8} {
		add(kind, 0, idSeq, []byte("abc"))
	}
	for _, seconds := range []byte{45, 0} {
		add(9, 0, []byte{2, 2, 0, seconds}, addr("10.0.0.1"), words(5), addr("10.0.0.2"), words(1<<31))
	}
	add(9, 0, []byte{1, 2, 7, 8}, addr("10.0.0.1"), words(0))
	add(9, 16, []byte{1, 2, 70, 80}, addr("10.0.0.1"), words(0))
	add(9, 0, []byte{1, 3, 0, 9}, addr("10.0.0.1"), words(0, 0))
	add(10, 0, words(0))
	add(13, 0, idSeq, words(1000, 0, 0))
	add(14, 0, idSeq, words(1000, 36000123, 86399999))
	add(14, 0, idSeq, words(1<<31+1, 90000000, 0))
	for _, kind := range []uint8{15, 16, 17} {
		add(kind, 0, idSeq, words(0))
	}
	add(18, 0, idSeq, []byte{255, 255, 255, 0})
	for _, kind := range []uint8{1, 2, 6, 19, 30, 40, 42, 253} {
		add(kind, 1, idSeq, words(1, 2))
	}
	return list
}
