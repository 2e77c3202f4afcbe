package dhcp_test

import (
	"fmt"
	"log"
	"net/netip"
	"time"

	"tunstack/dhcp"
	"tunstack/dhcp/server"
	"tunstack/link"
	"tunstack/socketapi"
	"tunstack/tun"
)

// A stack gets its address from a server on another stack. With tun.Open in place of tun.Pipe it is the server of a real network.
func ExampleStart() {
	one, two := tun.Pipe(1500, tun.TAP, tun.Features{})
	quick := link.ACD{ProbeNum: -1} // on a wire without other hosts no address is in use
	own := netip.MustParsePrefix("10.0.0.1/24")
	peer, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{{Device: one, Addrs: []netip.Prefix{own}, ACD: quick}}})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	leases, err := server.New(server.Config{Addr: own})
	if err != nil {
		log.Fatal(err)
	}
	port, err := peer.ListenPacket("udp4", ":67")
	if err != nil {
		log.Fatal(err)
	}
	go leases.Serve(port)

	stack, err := socketapi.New(socketapi.Config{Interfaces: []socketapi.Interface{{Name: "eth0", Device: two, ACD: quick}}})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	bound := make(chan dhcp.Info, 16)
	client, err := dhcp.Start(stack, "eth0", dhcp.Config{Delay: -1, Changed: func(i dhcp.Info) { bound <- i }})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Stop(true)
	for i := range bound {
		if len(i.Addresses) > 0 {
			fmt.Println(i.State, i.Addresses[0], "from", i.Server, "for", i.Expires.Round(time.Hour))
			return
		}
	}
	// Output: BOUND 10.0.0.155/24 from 10.0.0.1 for 1h0m0s
}
