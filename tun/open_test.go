package tun

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// LINK-002: 1500 unless configured.
func TestConfigDefaults(t *testing.T) {
	for _, driver := range []string{"", "auto"} {
		cfg := Config{Driver: driver}
		require.NoError(t, cfg.complete())
		require.Equal(t, Config{Driver: bestDriver, MTU: 1500, Queues: 1}, cfg)
	}
}

func TestConfigRefused(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		cfg  Config
		says string
	}{
		{Config{Driver: "windows"}, `tun: unknown driver "windows"; valid: auto, linux, veth, water`},
		{Config{MTU: -1}, "tun: MTU -1 is not between 68 and 65535"},
		{Config{MTU: 67}, "tun: MTU 67 is not between 68 and 65535"},
		{Config{MTU: 65522, Kind: TAP}, "tun: MTU 65522 is not between 68 and 65521"},
		{Config{Name: "a-name-of-16-oct"}, `tun: interface name "a-name-of-16-oct" is longer than 15 bytes`},
		{Config{Driver: "water", Queues: 2}, "tun: the water driver has one queue"},
		{Config{MAC: mac}, "tun: a hardware address has 6 bytes and belongs to a TAP device"},
		{Config{MAC: mac[:5], Kind: TAP}, "tun: a hardware address has 6 bytes and belongs to a TAP device"},
		{Config{Hosts: []netip.Prefix{{}}}, "tun: invalid Prefix is not an address of the host with the length of its network"},
		{Config{Hosts: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.1/120")}}, "tun: ::ffff:10.0.0.1/120 is not an address of the host with the length of its network"},
	} {
		_, err := Open(c.cfg)
		require.EqualError(t, err, c.says)
	}
}
