package dns

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// record reads "name ttl TYPE data".
func record(t *testing.T, text string) dnsmessage.Resource {
	words := strings.Fields(text)
	require.GreaterOrEqual(t, len(words), 4, text)
	ttl, err := strconv.ParseUint(words[1], 0, 32)
	require.NoError(t, err)
	typ, ok := ParseType(words[2])
	require.True(t, ok, text)
	return dnsmessage.Resource{Header: header(words[0], typ, uint32(ttl)), Body: body(t, typ, words[3:])}
}

func body(t *testing.T, typ dnsmessage.Type, words []string) dnsmessage.ResourceBody {
	number := func(i int) uint16 {
		n, err := strconv.ParseUint(words[i], 10, 16)
		require.NoError(t, err)
		return uint16(n)
	}
	switch typ {
	case dnsmessage.TypeA:
		return &dnsmessage.AResource{A: netip.MustParseAddr(words[0]).As4()}
	case dnsmessage.TypeAAAA:
		return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(words[0]).As16()}
	case dnsmessage.TypeCNAME:
		return &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(words[0])}
	case dnsmessage.TypeNS:
		return &dnsmessage.NSResource{NS: dnsmessage.MustNewName(words[0])}
	case dnsmessage.TypePTR:
		return &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(words[0])}
	case dnsmessage.TypeMX:
		return &dnsmessage.MXResource{Pref: number(0), MX: dnsmessage.MustNewName(words[1])}
	case dnsmessage.TypeSRV:
		return &dnsmessage.SRVResource{Priority: number(0), Weight: number(1), Port: number(2), Target: dnsmessage.MustNewName(words[3])}
	case dnsmessage.TypeTXT:
		return &dnsmessage.TXTResource{TXT: words}
	}
	return &dnsmessage.UnknownResource{Type: typ, Data: []byte(words[0])}
}

// Text is the presentation format, without a byte that could control a terminal.
func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"a. 1 A 192.0.2.1":         "192.0.2.1",
		"a. 1 AAAA 2001:db8::1":    "2001:db8::1",
		"a. 1 CNAME b\x1b[1m.":     `b\027[1m.`,
		"a. 1 NS ns.":              "ns.",
		"a. 1 PTR p;.":             `p\;.`,
		"a. 1 MX 10 mx.":           "10 mx.",
		"a. 1 SRV 1 2 3 s.":        "1 2 3 s.",
		"a. 1 TXT a\"b c\x07 \xff": `"a\"b" "c\007" "\255"`,
		"a. 1 CAA xyz":             `\# 3 78797a`,
	} {
		r := record(t, text)
		require.Equal(t, want, (&Record{Data: r.Body}).Text())
	}
	soa := Record{Data: &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("n."), MBox: dnsmessage.MustNewName("m."), Serial: 1, Refresh: 2, Retry: 3, Expire: 4, MinTTL: 5}}
	require.Equal(t, "n. m. 1 2 3 4 5", soa.Text())
}

// Types have names and numbers.
func TestTypeNames(t *testing.T) {
	for text, want := range map[string]dnsmessage.Type{"a": 1, "AAAA": 28, "any": 255, "TYPE65280": 65280, "type1": 1} {
		got, ok := ParseType(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "TYPE", "TYPE0", "TYPE65536", "28", "NOPE"} {
		_, ok := ParseType(text)
		require.False(t, ok, text)
	}
	require.Equal(t, "TYPE65280", TypeName(65280))
	require.Equal(t, "HTTPS", TypeName(65))
}
