package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/services"
)

// A service that answers other hosts' broadcasts runs only if it is named.
func TestDHCPServiceIsNamed(t *testing.T) {
	all, err := services.Pick(offered(nil, upConfig{}), "all")
	require.NoError(t, err)
	require.NotContains(t, services.Names(all), dhcpName)
	two, err := services.Pick(offered(nil, upConfig{}), "echo,dhcp")
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
