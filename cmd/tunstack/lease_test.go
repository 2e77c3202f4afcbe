package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tunstack/dhcp"
	"tunstack/dhcp/dhcp4"
	"tunstack/socketapi"
)

func TestPrintLeases(t *testing.T) {
	addr := netip.MustParseAddr
	four := dhcp.Info{
		Interface: "tap0", Protocol: "DHCPv4", State: "BOUND", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/24")}, Server: "10.0.0.1",
		Renew: 30*time.Minute + time.Millisecond, Rebind: 50 * time.Minute, Expires: time.Hour,
		Settings: dhcp4.Settings{
			Routes: []dhcp4.Route{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Router: addr("10.0.0.1")}, {Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
			DNS:    []netip.Addr{addr("10.0.0.53"), addr("10.0.0.54")}, Domain: "example.org", Hostname: "box", MTU: 1400, NTP: []netip.Addr{addr("10.0.0.12")},
		},
	}
	searching := dhcp.Info{Interface: "tap1", Protocol: "DHCPv4", State: "SELECTING", LinkLocal: netip.MustParsePrefix("169.254.7.7/16")}
	infinite := dhcp.Info{Interface: "tap2", Protocol: "DHCPv4", State: "BOUND", Server: "10.0.0.1", Renew: socketapi.Forever, Expires: socketapi.Forever}
	var out strings.Builder
	printLeases(&out, []dhcp.Info{four, searching, infinite})
	require.Equal(t, `tap0: DHCPv4 BOUND from 10.0.0.1
        address    10.0.0.7/24
        expires    in 1h0m0s, renewed in 30m0s
        route      0.0.0.0/0 by 10.0.0.1
        route      192.0.2.0/24 on the link
        dns        10.0.0.53 10.0.0.54
        search     example.org
        hostname   box
        mtu        1400
        ntp        10.0.0.12

tap1: DHCPv4 SELECTING
        address    169.254.7.7/16 (no server answers)

tap2: DHCPv4 BOUND from 10.0.0.1
        expires    never
`, out.String())
}
