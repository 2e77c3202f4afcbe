package control

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client gets the answers of the stack's resolver, and its errors as *net.DNSError.
func TestNames(t *testing.T) {
	c, s, _ := serve(t)
	h, err := c.Lookup(t.Context(), "ip4", "a.localhost")
	require.NoError(t, err)
	require.Equal(t, Host{[]netip.Addr{netip.MustParseAddr("127.0.0.1")}, "a.localhost"}, h)
	h, err = c.Lookup(t.Context(), "ip", "10.1")
	require.NoError(t, err)
	require.Equal(t, Host{[]netip.Addr{netip.MustParseAddr("10.0.0.1")}, "10.1"}, h)
	_, err = c.Lookup(t.Context(), "tcp", "localhost")
	require.EqualError(t, err, "unknown network tcp")

	names, err := c.LookupAddr(t.Context(), netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	require.NotEmpty(t, names)

	failed := func(err error) {
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.Equal(t, "lookup host.test: no name server is known", err.Error())
	}
	_, err = c.Lookup(t.Context(), "ip", "host.test")
	failed(err)
	_, err = c.DialContext(t.Context(), "tcp", "host.test:7")
	failed(err)
	_, err = s.Resolver().LookupAddr(t.Context(), "10.9.9.9")
	require.Error(t, err)
	_, err = c.LookupAddr(t.Context(), netip.MustParseAddr("10.9.9.9"))
	var e *net.DNSError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "10.9.9.9", e.Name)
}
