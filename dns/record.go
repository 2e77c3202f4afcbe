package dns

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Record is a resource record of the class IN.
type Record struct {
	Name string // the owner, in lower case, with a dot at the end
	Type dnsmessage.Type
	TTL  time.Duration
	Data dnsmessage.ResourceBody
}

// Addr is the address of an A or AAAA record; of others the zero Addr.
func (r *Record) Addr() netip.Addr {
	switch d := r.Data.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(d.A)
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(d.AAAA)
	}
	return netip.Addr{}
}

// Text is the data in the presentation format of zone files (RFC 1035 section 5.1), that of an unknown type in the format of RFC
// 3597. It has no control characters.
func (r *Record) Text() string {
	switch d := r.Data.(type) {
	case *dnsmessage.AResource, *dnsmessage.AAAAResource:
		return r.Addr().String()
	case *dnsmessage.CNAMEResource:
		return escaped(d.CNAME)
	case *dnsmessage.NSResource:
		return escaped(d.NS)
	case *dnsmessage.PTRResource:
		return escaped(d.PTR)
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%d %s", d.Pref, escaped(d.MX))
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%d %d %d %s", d.Priority, d.Weight, d.Port, escaped(d.Target))
	case *dnsmessage.SOAResource:
		return fmt.Sprintf("%s %s %d %d %d %d %d", escaped(d.NS), escaped(d.MBox), d.Serial, d.Refresh, d.Retry, d.Expire, d.MinTTL)
	case *dnsmessage.TXTResource:
		quoted := make([]string, len(d.TXT))
		for i, s := range d.TXT {
			quoted[i] = `"` + escape(s, `"\`) + `"`
		}
		return strings.Join(quoted, " ")
	case *dnsmessage.UnknownResource:
		return fmt.Sprintf(`\# %d %s`, len(d.Data), hex.EncodeToString(d.Data))
	}
	return ""
}

func escaped(n dnsmessage.Name) string { return escape(n.String(), `"\();@$ `) }

// escape writes the bytes of s that are special or not printable as \X or \DDD (RFC 1035 section 5.1).
func escape(s, special string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case strings.IndexByte(special, c) >= 0:
			b.Write([]byte{'\\', c})
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// size estimates the memory of a record in bytes, for the cache.
func (r *Record) size() int {
	const header, name = 64, 256
	size := header + len(r.Name)
	switch d := r.Data.(type) {
	case *dnsmessage.AResource, *dnsmessage.AAAAResource:
		return size + 16
	case *dnsmessage.TXTResource:
		for _, s := range d.TXT {
			size += 16 + len(s)
		}
		return size
	case *dnsmessage.UnknownResource:
		return size + len(d.Data)
	case *dnsmessage.SOAResource:
		return size + 2*name
	}
	return size + name
}

// ParseType reads the name of a type of record, such as "AAAA", or its number, "TYPE28" (RFC 3597 section 5).
func ParseType(text string) (dnsmessage.Type, bool) {
	text = strings.ToUpper(text)
	for t, name := range typeNames {
		if name == text {
			return t, true
		}
	}
	digits, numbered := strings.CutPrefix(text, "TYPE")
	n, err := strconv.ParseUint(digits, 10, 16)
	return dnsmessage.Type(n), numbered && err == nil && n > 0
}

// TypeName is the inverse of ParseType.
func TypeName(t dnsmessage.Type) string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

var typeNames = map[dnsmessage.Type]string{
	dnsmessage.TypeA: "A", dnsmessage.TypeNS: "NS", dnsmessage.TypeCNAME: "CNAME", dnsmessage.TypeSOA: "SOA", dnsmessage.TypePTR: "PTR",
	dnsmessage.TypeMX: "MX", dnsmessage.TypeTXT: "TXT", dnsmessage.TypeAAAA: "AAAA", dnsmessage.TypeSRV: "SRV", dnsmessage.TypeALL: "ANY",
	35: "NAPTR", 43: "DS", 44: "SSHFP", 46: "RRSIG", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 257: "CAA",
}
