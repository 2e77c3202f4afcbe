package dns

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A Handler answers instead of the servers for its domain and the names below it, until it is removed.
func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t)
		n.add("10.0.0.1", zone(t, "a.local. 0 A 10.9.9.9", "notlocal. 0 A 10.9.9.8"))
		r := n.resolver(Config{}, "10.0.0.1")
		r.Handle("local", func(_ context.Context, network, name string) ([]netip.Addr, error) {
			if name != "a.Local" {
				return nil, ErrNoName
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fe80::7%eth0")}, nil
		})
		for _, c := range []struct{ network, name, want string }{
			{"ip", "a.Local", "10.0.0.7 fe80::7%eth0"}, {"ip4", "a.Local", "10.0.0.7"}, {"ip6", "a.Local", "fe80::7%eth0"}, {"ip", "notlocal.", "10.9.9.8"},
		} {
			h, err := r.Lookup(background, c.network, c.name)
			require.NoError(t, err)
			var text string
			for _, a := range h.Addrs {
				text += " " + a.String()
			}
			require.Equal(t, " "+c.want, text)
		}
		_, err := r.LookupHost(background, "b.local")
		require.ErrorIs(t, err, ErrNoName)
		r.Handle("local", nil)
		h, err := r.LookupHost(background, "a.local")
		require.NoError(t, err)
		require.Equal(t, []string{"10.9.9.9"}, h)
	})
}
