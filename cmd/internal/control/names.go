package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tunstack/dns"
)

// Answer is what the stack's resolver says to a question.
type Answer struct {
	Name    string   `json:"name"`    // the name that has the records: the asked one, or the one at the end of the CNAME chain
	Exists  bool     `json:"exists"`  // false: NXDOMAIN
	Records []Record `json:"records"` // the CNAME chain, then the records of the asked type
}

// Record is a resource record in the presentation format, which has no control characters.
type Record struct {
	Name string `json:"name"`
	Type string `json:"type"`
	TTL  uint32 `json:"ttl"` // seconds
	Data string `json:"data"`
}

// Host is the result of Lookup.
type Host struct {
	Addrs     []netip.Addr `json:"addresses"` // the best first
	Canonical string       `json:"canonical"`
}

// lookup handles GET /lookup.
func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	h, err := s.stack.Lookup(r.Context(), r.FormValue("network"), r.FormValue("host"))
	reply(w, Host(h), err)
}

// names handles GET /names.
func (s *Server) names(w http.ResponseWriter, r *http.Request) {
	list, err := s.stack.Resolver().LookupAddr(r.Context(), r.FormValue("addr"))
	reply(w, list, err)
}

// query handles GET /query. That a name or record does not exist is an answer.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	typ, ok := dns.ParseType(r.FormValue("type"))
	if !ok {
		fail(w, fmt.Errorf("%s: not a type of record", r.FormValue("type")))
		return
	}
	a, err := s.stack.Resolver().Query(r.Context(), r.FormValue("name"), typ)
	if a != nil {
		err = nil
	}
	reply(w, answerOf(a), err)
}

func answerOf(a *dns.Answer) (out Answer) {
	if a == nil {
		return out
	}
	out = Answer{Name: a.Name, Exists: a.RCode != dnsmessage.RCodeNameError, Records: []Record{}}
	for i := range a.Records {
		r := &a.Records[i]
		out.Records = append(out.Records, Record{r.NameText(), dns.TypeName(r.Type), uint32(r.TTL / time.Second), r.Text()})
	}
	return out
}

// reply answers with a value or an error of the stack.
func reply(w http.ResponseWriter, value any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // fails only when the client has gone
}

// Lookup finds the addresses of a host by the stack's resolver, as Dial does. network is "ip", "ip4" or "ip6". Errors are *net.DNSError.
func (c *Client) Lookup(ctx context.Context, network, host string) (h Host, err error) {
	return h, c.get(ctx, "/lookup", url.Values{"network": {network}, "host": {host}}, &h)
}

// LookupAddr finds the names of an address by the stack's resolver. Those of DNS end with a dot. Errors are *net.DNSError.
func (c *Client) LookupAddr(ctx context.Context, a netip.Addr) (names []string, err error) {
	return names, c.get(ctx, "/names", url.Values{"addr": {a.String()}}, &names)
}

// Query asks the stack's resolver for the records of a type, such as "AAAA", of a name, without the search list and the hosts file. A server
// that fails or does not answer is an error, of type *net.DNSError; it says what each server did.
func (c *Client) Query(ctx context.Context, name, typ string) (a Answer, err error) {
	return a, c.get(ctx, "/query", url.Values{"type": {typ}, "name": {name}}, &a)
}
