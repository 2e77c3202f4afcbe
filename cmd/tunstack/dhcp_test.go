package main

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/dhcp/server"
	"tunstack/services"
	"tunstack/socketapi"
)

// A service that answers other hosts' broadcasts runs only if it is named.
func TestDHCPServiceIsNamed(t *testing.T) {
	all, err := services.Pick(offered(counted{}, upConfig{}), "all")
	require.NoError(t, err)
	require.NotContains(t, services.Names(all), dhcpName)
	two, err := services.Pick(offered(counted{}, upConfig{}), "echo,dhcp")
	require.NoError(t, err)
	require.Equal(t, []string{"echo", dhcpName}, services.Names(two))
}

func TestLeasePath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", dir)
	path, err := leasePath("tap0")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, ".local", "state", "tunstack", "lease-tap0.json"), path)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "x"))
	path, err = leasePath("tap0")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "x", "tunstack", "lease-tap0.json"), path)
}

// The counters of DHCP stand beside those of the stack.
func TestDHCPCounters(t *testing.T) {
	stack, err := socketapi.New(socketapi.Config{})
	require.NoError(t, err)
	defer stack.Close()
	s, err := server.New(server.Config{Addr: netip.MustParsePrefix("10.0.0.2/24")})
	require.NoError(t, err)
	s.Handle(0, []byte("nonsense"))
	n := &node{stack: stack}
	var names []string
	for _, c := range n.counted(s).Counters() {
		names = append(names, c.Name)
		if c.Name == "dhcp.server.drop.malformed" {
			require.EqualValues(t, 1, c.Value)
		}
	}
	require.Contains(t, names, "dhcp.server.drop.malformed")
	require.Contains(t, names, "tcp.in.segments")
}
