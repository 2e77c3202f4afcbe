package dig

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Columns of a record as BIND prints it: the name is in the first one.
const (
	ttlColumn   = 24
	classColumn = 32
	typeColumn  = 40
	dataColumn  = 48
	tabWidth    = 8
)

// line builds a line in columns.
type line struct {
	strings.Builder
	at int // column
}

// field adds a text at a column, or one blank behind the text before it, by tabs as far as they reach.
func (l *line) field(column int, text string) {
	if column > 0 {
		column = max(column, l.at+1)
		if tabs := column/tabWidth - l.at/tabWidth; tabs > 0 {
			l.WriteString(strings.Repeat("\t", tabs))
			l.at = column / tabWidth * tabWidth
		}
		l.WriteString(strings.Repeat(" ", column-l.at))
		l.at = column
	}
	l.WriteString(text)
	l.at += len(text)
}

// showing says which columns of a record are shown.
type showing struct{ noTTL, noClass bool }

// shift is the width of the columns that are not shown.
func (s showing) shift() (width int) {
	for _, hidden := range []bool{s.noTTL, s.noClass} {
		if hidden {
			width += tabWidth
		}
	}
	return width
}

// record is the line of a record.
func (s showing) record(rr dns.RR) string {
	var l line
	h := rr.Header()
	l.field(0, ownerName(h.Name))
	if !s.noTTL {
		l.field(ttlColumn, strconv.FormatUint(uint64(h.Ttl), 10))
	}
	if !s.noClass {
		l.field(classColumn-s.shift(), className(h.Class))
	}
	l.field(typeColumn-s.shift(), typeName(h.Rrtype))
	l.field(dataColumn-s.shift(), rdata(rr))
	return l.String()
}

// question is the line of a question, without the semicolon before it.
func (s showing) question(q dns.Question) string {
	var l line
	l.field(0, ownerName(q.Name))
	if !s.noClass {
		l.field(classColumn-s.shift(), className(q.Qclass))
	}
	l.field(typeColumn-s.shift(), typeName(q.Qtype))
	return l.String()
}

// ownerName is a name in the notation of BIND, which writes a blank by its number.
func ownerName(name string) string { return strings.ReplaceAll(name, `\ `, `\032`) }

func typeName(t uint16) string  { return dns.Type(t).String() }
func className(c uint16) string { return dns.Class(c).String() }

// chunk is the number of characters after which BIND divides keys, signatures and digests by a blank.
const chunk = 56

// quoted are parameters of SVCB and HTTPS that BIND writes without quotation marks.
var quoted = regexp.MustCompile(`\b(port|ipv4hint|ipv6hint|mandatory|ech)="([^"]*)"`)

// rdata is the data of a record in the notation of BIND.
func rdata(rr dns.RR) string {
	if r, ok := rr.(*dns.RFC3597); ok {
		return strings.TrimSpace(fmt.Sprintf(`\# %d %s`, len(r.Rdata)/2, divided(strings.ToUpper(r.Rdata))))
	}
	text := strings.TrimPrefix(rr.String(), rr.Header().String())
	switch rr.(type) {
	case *dns.DS, *dns.CDS, *dns.SSHFP, *dns.TLSA, *dns.SMIMEA:
		return lastField(text, func(f string) string { return divided(strings.ToUpper(f)) })
	case *dns.DNSKEY, *dns.CDNSKEY, *dns.KEY, *dns.RRSIG, *dns.SIG, *dns.CERT, *dns.DHCID, *dns.OPENPGPKEY:
		return lastField(text, divided)
	case *dns.SVCB, *dns.HTTPS:
		return quoted.ReplaceAllString(text, "$1=$2")
	}
	return text
}

// lastField changes what stands behind the last blank of a text.
func lastField(text string, change func(string) string) string {
	at := strings.LastIndexByte(text, ' ') + 1
	return text[:at] + change(text[at:])
}

// divided puts a blank behind each chunk.
func divided(text string) string {
	var b strings.Builder
	for len(text) > chunk {
		b.WriteString(text[:chunk] + " ")
		text = text[chunk:]
	}
	return b.String() + text
}
