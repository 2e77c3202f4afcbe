package dns

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// forgeries change a good answer into one to another query.
var forgeries = map[string]func(m *dnsmessage.Message){
	"identifier":    func(m *dnsmessage.Message) { m.ID++ },
	"query":         func(m *dnsmessage.Message) { m.Response = false },
	"opcode":        func(m *dnsmessage.Message) { m.OpCode = 1 },
	"name":          func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("other.test.") },
	"type":          func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeTXT },
	"class":         func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS },
	"no question":   func(m *dnsmessage.Message) { m.Questions = nil },
	"two questions": func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) },
}

// An answer that is not to the query is dropped and counted, and the genuine one behind it counts: DNS-007. The addresses and ports
// of DNS-005 are the part of the stack that dials, because a connected socket receives only from its peer.
func TestForgedAnswers(t *testing.T) {
	for name, forge := range forgeries {
		for _, tcp := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t)
				n.add("10.0.0.1", func(q *sent) [][]byte {
					m := q.base()
					m.Questions = append([]dnsmessage.Question(nil), m.Questions...)
					m.Answers = []dnsmessage.Resource{record(t, "host.test. 60 A 10.6.6.6")}
					forge(&m)
					return [][]byte{pack(t, &m), q.reply(t, "host.test. 60 A 10.0.0.9")}
				})
				r := n.resolver(Config{Settings: Settings{UseTCP: tcp}}, "10.0.0.1")
				a, err := r.Query(background, "host.test.", dnsmessage.TypeA)
				require.NoError(t, err, name)
				require.Equal(t, "10.0.0.9", a.Records[0].Text(), name)
				require.EqualValues(t, 1, r.Stats().DropMismatch.Value(), name)
			})
		}
	}
}

// A flood of forgeries over UDP makes the resolver ask over TCP.
func TestFloodOfForgeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", func(q *sent) (answers [][]byte) {
			if q.proto == "tcp" {
				return [][]byte{q.reply(t, "host.test. 60 A 10.0.0.9")}
			}
			for i := range 1000 {
				m := q.base()
				m.ID += uint16(1 + i)
				answers = append(answers, pack(t, &m))
			}
			return answers
		})
		r := n.resolver(Config{}, "10.0.0.1")
		_, err := r.Query(background, "host.test.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Equal(t, []string{"10.0.0.1 udp host.test. A", "10.0.0.1 tcp host.test. A"}, n.queries())
		require.EqualValues(t, maxMismatches, r.Stats().DropMismatch.Value())
	})
}

// Messages that are wrong inside are errors at once: loops of compression pointers, pointers out of the message, reserved labels,
// counts and lengths beyond the end, addresses of a wrong length. Nothing is read past the end. DNS-008, DNS-009, DNS-026.
func TestMalformed(t *testing.T) {
	const nameAt = 12 + 11 + 4 // of the answer, behind the header and the question host.test.
	for name, spoil := range map[string]func(b []byte) []byte{
		"pointer to itself":   func(b []byte) []byte { return replaceName(b, 0xc0, nameAt) },
		"pointer loop":        func(b []byte) []byte { return replaceName(b, 1, 'a', 0xc0, nameAt) },
		"pointer out":         func(b []byte) []byte { return replaceName(b, 0xff, 0xff) },
		"forward pointer":     func(b []byte) []byte { return replaceName(b, 0xc0, nameAt+40) },
		"reserved label 0x80": func(b []byte) []byte { return replaceName(b, 0x80, 0) },
		"reserved label 0x40": func(b []byte) []byte { return replaceName(b, 0x40, 0) },
		"long name": func(b []byte) []byte {
			return replaceName(b, bytes.Repeat([]byte("\x3f"+strings.Repeat("a", 63)), 5)...)
		},
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"no records":     func(b []byte) []byte { return b[:nameAt] },
		"answers 65535":  func(b []byte) []byte { binary.BigEndian.PutUint16(b[6:], 65535); return b },
		"authorities 1":  func(b []byte) []byte { binary.BigEndian.PutUint16(b[8:], 1); return b },
		"additionals 1":  func(b []byte) []byte { binary.BigEndian.PutUint16(b[10:], 1); return b },
		"RDLENGTH 65535": func(b []byte) []byte { binary.BigEndian.PutUint16(b[len(b)-6:], 65535); return b },
		"RDLENGTH 3":     func(b []byte) []byte { binary.BigEndian.PutUint16(b[len(b)-6:], 3); return b[:len(b)-1] },
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.add("10.0.0.1", func(q *sent) [][]byte { return [][]byte{spoil(q.reply(t, "host.test. 60 A 10.0.0.9"))} })
			n.add("10.0.0.2", zone(t, "host.test. 60 A 10.0.0.9"))
			alone := n.resolver(Config{Settings: Settings{Attempts: 1}}, "10.0.0.1")
			_, err := alone.Query(background, "host.test.", dnsmessage.TypeA)
			require.Error(t, err, name)
			if name != "RDLENGTH 3" { // a record that is no address does not count
				require.ErrorIs(t, err, errMalformed, name)
				require.EqualValues(t, 1, alone.Stats().DropMalformed.Value())
				_, err := n.resolver(Config{}, "10.0.0.1", "10.0.0.2").Query(background, "host.test.", dnsmessage.TypeA)
				require.NoError(t, err)
			}
			require.Zero(t, time.Since(n.start))
		})
	}
}

// replaceName replaces the compressed owner name of the first answer, which the encoder writes as a pointer.
func replaceName(b []byte, name ...byte) []byte {
	const at = 12 + 11 + 4
	return append(append(bytes.Clone(b[:at]), name...), b[at+2:]...)
}

// A message of 64 KiB over TCP is read and used, and costs no more than its size allows.
func TestHugeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", truncated(t, func(q *sent) [][]byte {
			var records []string
			for i := range 4000 {
				records = append(records, fmt.Sprintf("%s 60 A 10.1.%d.%d", q.name(), i>>8, i&255))
			}
			return [][]byte{q.reply(t, records...)}
		}))
		r := n.resolver(Config{}, "10.0.0.1")
		a, err := r.Query(background, "host.test.", dnsmessage.TypeA)
		require.NoError(t, err)
		require.Len(t, a.Data(), 4000)
		require.Zero(t, r.cache.len())
	})
}

// FuzzParse feeds messages to the parser: it neither panics nor returns an answer for another question.
func FuzzParse(f *testing.F) {
	q := sent{msg: dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("host.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}}
	m := q.base()
	for _, name := range []string{"host.test.", "x.host.test."} {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: header(name, dnsmessage.TypeCNAME, 60), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x." + name)},
		})
	}
	m.Authorities = []dnsmessage.Resource{{Header: header("test.", dnsmessage.TypeSOA, 1), Body: &dnsmessage.SOAResource{
		NS: dnsmessage.MustNewName("a."), MBox: dnsmessage.MustNewName("b."),
	}}}
	seed, err := m.Pack()
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, msg []byte) {
		m, err := (question{"host.test.", dnsmessage.TypeA}).parse(msg, 1)
		if err != nil {
			return
		}
		a := &Answer{Name: "host.test."}
		_, err = a.merge(m, dnsmessage.TypeA)
		a.deny(m)
		require.LessOrEqual(t, a.data, maxChain)
		for i := range a.Data() {
			require.True(t, err != nil || a.Data()[i].Addr().Is4())
		}
		for _, r := range m.answers {
			require.Positive(t, r.size())
			require.NotContains(t, r.Text(), "\x1b")
		}
	})
}

// FuzzResolvConf feeds files to the parser: what it returns is within glibc's bounds.
func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 10.0.0.1\nsearch a b\noptions ndots:2 timeout:3 attempts:4 rotate use-vc")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseResolvConf(strings.NewReader(text))
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(s.Servers), maxServers)
		require.LessOrEqual(t, s.Ndots, maxNdots)
		require.LessOrEqual(t, s.Timeout, maxTimeout)
		require.LessOrEqual(t, s.Attempts, maxAttempts)
		for _, name := range s.complete(53).candidates("host") {
			require.True(t, validName(name))
		}
	})
}

// FuzzHostsFile feeds files to the table: every name that it finds has addresses and a first name.
func FuzzHostsFile(f *testing.F) {
	f.Add("127.0.0.1 localhost\n10.0.0.2 stack stack.example # ours\n::1 localhost\n", "stack")
	path := filepath.Join(f.TempDir(), "hosts")
	f.Fuzz(func(t *testing.T, text, name string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		file := hostsFile{path: path}
		h := file.host(name, netip.Addr.IsValid)
		require.Equal(t, len(h.Addrs) > 0, h.Canonical != "")
		for _, a := range h.Addrs {
			require.NotEmpty(t, file.addr(a))
		}
	})
}
