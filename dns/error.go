package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Errors of lookups. They are wrapped in a *net.DNSError.
var (
	ErrNoName   = errors.New("no such host (NXDOMAIN)")          // the name does not exist
	ErrNoData   = errors.New("no such record (NODATA)")          // the name exists
	ErrBadName  = errors.New("not a name that DNS can have")     // its length or that of a label; no server was asked
	ErrNoServer = errors.New("no name server is known")          // and the hosts file does not have the name
	errChain    = errors.New("the chain of aliases has no end")  // a loop, or longer than maxChain
	errLame     = errors.New("does not answer for this name")    // neither data nor recursion
	errClosed   = errors.New("the server closed the connection") // before it answered
)

// RCodeError is a failure that a server reports.
type RCodeError dnsmessage.RCode

var rcodeText = map[dnsmessage.RCode]string{
	dnsmessage.RCodeFormatError:    "cannot read the query (FORMERR)",
	dnsmessage.RCodeServerFailure:  "server failure (SERVFAIL)",
	dnsmessage.RCodeNotImplemented: "query not implemented (NOTIMP)",
	dnsmessage.RCodeRefused:        "refused (REFUSED)",
}

// Error implements error.
func (e RCodeError) Error() string {
	if text, ok := rcodeText[dnsmessage.RCode(e)]; ok {
		return text
	}
	return fmt.Sprintf("error code %d", uint16(e))
}

// silentError is a server that has not answered in time.
type silentError time.Duration

// Error implements error.
func (e silentError) Error() string { return fmt.Sprintf("no answer within %v", time.Duration(e)) }

// Timeout implements net.Error.
func (e silentError) Timeout() bool { return true }

// Attempt is the outcome of asking one server.
type Attempt struct {
	Server netip.AddrPort
	Err    error
}

// ServersError says which servers were asked, in order, and what each did.
type ServersError []Attempt

// Error implements error.
func (e ServersError) Error() string {
	var servers []netip.AddrPort
	said := map[netip.AddrPort][]string{}
	for _, a := range e {
		if said[a.Server] == nil {
			servers = append(servers, a.Server)
		}
		said[a.Server] = append(said[a.Server], a.Err.Error())
	}
	texts := make([]string, len(servers))
	for i, s := range servers {
		texts[i] = fmt.Sprintf("%s: %s", serverName(s), strings.Join(said[s], ", then "))
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors of the servers.
func (e ServersError) Unwrap() []error {
	list := make([]error, len(e))
	for i, a := range e {
		list[i] = a.Err
	}
	return list
}

// silent reports whether no server has answered at all.
func (e ServersError) silent() bool {
	for _, a := range e {
		var s silentError
		if !errors.As(a.Err, &s) {
			return false
		}
	}
	return true
}

// temporary reports whether the same question may get an answer later: a server was silent, unreachable or has failed.
func (e ServersError) temporary() bool {
	for _, a := range e {
		if code, ok := a.Err.(RCodeError); !ok || dnsmessage.RCode(code) == dnsmessage.RCodeServerFailure {
			return true
		}
	}
	return false
}

// serverName is a server's address, with the port only if it is not the usual one.
func serverName(s netip.AddrPort) string {
	if s.Port() == plainPort {
		return s.Addr().String()
	}
	return s.String()
}

// failure is the *net.DNSError for the lookup of a name.
func failure(name string, err error) error {
	var had *net.DNSError
	if err == nil || errors.As(err, &had) {
		return err
	}
	e := &net.DNSError{Err: err.Error(), Name: name, UnwrapErr: err}
	e.IsNotFound = errors.Is(err, ErrNoName) || errors.Is(err, ErrNoData) || errors.Is(err, ErrBadName)
	var servers ServersError
	var timeout net.Error
	switch {
	case errors.As(err, &servers):
		e.IsTimeout, e.IsTemporary = servers.silent(), servers.temporary()
	case errors.As(err, &timeout) && timeout.Timeout(): // the context's deadline
		e.IsTimeout, e.IsTemporary = true, true
	}
	return e
}
