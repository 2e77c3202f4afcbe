package requirements

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

const preamble = `<!-- Written by "go generate ./test/requirements" from requirements.tsv and the tests; edit those. -->

# Requirements

The requirements of the specifications on a host, row by row, and the tests that show them. A test shows a row by naming its id in a
comment or in a subtest's name. ` + "`go test ./test/requirements`" + ` fails when a MUST or SHOULD has neither a test nor a
reason, and when this page is out of date.

`

type layer struct{ name, title string }

// layers orders and titles the sections. Each row belongs to one of them.
var layers = []layer{
	{"link", "Link"},
	{"ipv4", "IPv4"},
	{"ipv6", "IPv6"},
	{"icmp", "ICMP"},
	{"icmpv6", "ICMPv6"},
	{"nd", "Neighbour discovery"},
	{"slaac", "Autoconfiguration"},
	{"dhcp", "DHCP"},
	{"dhcpv6", "DHCPv6"},
	{"udp", "UDP"},
	{"tcp", "TCP"},
	{"socket", "Sockets"},
	{"dns", "Names"},
	{"security", "Security"},
}

// Document is the account in Markdown: a summary, then a section per layer.
func (a *Account) Document() []byte {
	var b bytes.Buffer
	b.WriteString(preamble)
	a.summary(&b)
	for _, l := range layers {
		fmt.Fprintf(&b, "\n## %s\n\n| Id | Level | Requirement | Source | Shown by |\n|---|---|---|---|---|\n", l.title)
		for i := range a.rows {
			if r := &a.rows[i]; r.Layer == l.name {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.ID, r.Level, cell(r.Text), cell(r.Source), a.shown(r))
			}
		}
	}
	return b.Bytes()
}

// A count is a line of the summary.
type count struct{ met, reason, open, offered, notOffered int }

func (c *count) add(r *Row, shown bool) {
	switch {
	case r.required() && shown:
		c.met++
	case r.required() && r.Reason != "":
		c.reason++
	case r.required():
		c.open++
	case shown:
		c.offered++
	default:
		c.notOffered++
	}
}

func (a *Account) summary(b *bytes.Buffer) {
	b.WriteString("| Layer | MUST and SHOULD: met | not met, with reason | open | MAY: offered | not offered |\n|---|--:|--:|--:|--:|--:|\n")
	var all count
	for _, l := range layers {
		var c count
		for i := range a.rows {
			if r := &a.rows[i]; r.Layer == l.name {
				c.add(r, len(a.tests[r.ID]) > 0)
				all.add(r, len(a.tests[r.ID]) > 0)
			}
		}
		c.line(b, fmt.Sprintf("[%s](#%s)", l.title, strings.ReplaceAll(strings.ToLower(l.title), " ", "-")))
	}
	all.line(b, "All")
}

func (c *count) line(b *bytes.Buffer, title string) {
	fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d |\n", title, c.met, c.reason, c.open, c.offered, c.notOffered)
}

// shown links the tests that show a row, or gives the reason for their absence.
func (a *Account) shown(r *Row) string {
	var links []string
	for _, t := range a.tests[r.ID] {
		links = append(links, fmt.Sprintf("[%s](%s)", t.Name, path.Join("..", t.File)))
	}
	switch {
	case len(links) > 0:
		return strings.Join(links, ", ")
	case r.Reason != "":
		return "Not met: " + cell(r.Reason)
	case r.required():
		return "**open**"
	}
	return "not offered"
}

// cell escapes the character that would end the cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
