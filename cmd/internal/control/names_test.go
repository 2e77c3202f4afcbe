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

	a, err := c.Query(t.Context(), "A.localhost", "AAAA")
	require.NoError(t, err)
	require.Equal(t, Answer{"a.localhost.", true, []Record{{"a.localhost.", "AAAA", 0, "::1"}}}, a)
	a, err = c.Query(t.Context(), "localhost", "MX")
	require.NoError(t, err)
	require.Equal(t, Answer{"localhost.", true, []Record{}}, a)
	a, err = c.Query(t.Context(), "a/x?&%.invalid", "A")
	require.NoError(t, err)
	require.Equal(t, Answer{"a/x?&%.invalid.", false, []Record{}}, a)
	_, err = c.Query(t.Context(), "localhost", "NOPE")
	require.EqualError(t, err, "NOPE: not a type of record")

	failed := func(err error) {
		var e *net.DNSError
		require.ErrorAs(t, err, &e)
		require.Equal(t, "lookup host.test: no name server is known", err.Error())
	}
	_, err = c.Query(t.Context(), "host.test", "A")
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
