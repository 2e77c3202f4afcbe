package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
)

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
