package socketapi_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"tunstack/socketapi"
	"tunstack/tun"
)

// twoStacks are stacks at 10.0.0.1 and 10.0.0.2, joined by a wire in memory. With tun.Open in place of tun.Pipe one
// of them is reached from this machine.
func twoStacks() (a, b *socketapi.Stack) {
	one, two := tun.Pipe(1500, tun.TUN, tun.Features{})
	return newStack(one, "10.0.0.1/24"), newStack(two, "10.0.0.2/24")
}

func newStack(device tun.Device, addr string) *socketapi.Stack {
	stack, err := socketapi.New(socketapi.Config{
		Interfaces: []socketapi.Interface{{Device: device, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return stack
}

// A TCP echo server on one stack, a client on the other.
func Example() {
	a, b := twoStacks()
	defer a.Close()
	defer b.Close()

	l, err := b.Listen("tcp", ":7")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()

	c, err := a.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(c, "hello, stack")
	c.(*socketapi.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c)
	fmt.Printf("%s from %s\n", answer, c.RemoteAddr())
	// Output: hello, stack from 10.0.0.2:7
}

// UDP with the interface of package net.
func ExampleStack_ListenPacket() {
	a, b := twoStacks()
	defer a.Close()
	defer b.Close()

	server, err := b.ListenPacket("udp", ":54321")
	if err != nil {
		log.Fatal(err)
	}
	client, err := a.Dial("udp", "10.0.0.2:54321")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(client, "ping")
	buf := make([]byte, 1500)
	n, from, _ := server.ReadFrom(buf)
	fmt.Printf("%s from %s\n", buf[:n], from.(*net.UDPAddr).IP)
	// Output: ping from 10.0.0.1
}

// The same server and client with the Berkeley calls.
func ExampleBerkeley() {
	a, b := twoStacks()
	defer a.Close()
	defer b.Close()
	client, server := a.Berkeley(), b.Berkeley()

	listener, _ := server.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM, 0)
	server.SetSockOpt(listener, socketapi.SOL_SOCKET, socketapi.SO_REUSEADDR, 1)
	if err := server.Bind(listener, netip.MustParseAddrPort("0.0.0.0:1414")); err != nil {
		log.Fatal(err)
	}
	server.Listen(listener, 5)
	go func() {
		conn, _, _ := server.Accept(listener)
		server.Send(conn, []byte("Who's there?"), 0)
		server.Close(conn)
	}()

	fd, _ := client.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM, 0)
	if err := client.Connect(fd, netip.MustParseAddrPort("10.0.0.2:1414")); err != nil {
		log.Fatal(err) // a syscall.Errno
	}
	buf := make([]byte, 100)
	n, _ := client.Recv(fd, buf, socketapi.MSG_WAITALL)
	fmt.Printf("%s\n", buf[:n])
	client.Close(fd)
	// Output: Who's there?
}

// Options have Linux's names and layouts; TCP_INFO is struct tcp_info.
func ExampleBerkeley_GetSockOpt() {
	stack, err := socketapi.New(socketapi.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	l, _ := stack.Listen("tcp", "127.0.0.1:0")
	c, _ := stack.Dial("tcp", l.Addr().String())

	var info socketapi.TCPInfo
	fd := c.(*socketapi.TCPConn).Descriptor()
	n, err := stack.Berkeley().GetSockOpt(fd, socketapi.IPPROTO_TCP, socketapi.TCP_INFO, &info)
	fmt.Printf("%d bytes, %v, state %d\n", n, err, info.State)
	// Output: 280 bytes, <nil>, state 1
}

// net/http runs over the stack's listeners and connections.
func ExampleStack_DialContext() {
	a, b := twoStacks()
	defer a.Close()
	defer b.Close()

	l, err := b.Listen("tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s", r.Host)
	}))

	client := &http.Client{Transport: &http.Transport{DialContext: a.DialContext}}
	r, err := client.Get("http://10.0.0.2/")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	page, _ := io.ReadAll(r.Body)
	fmt.Printf("%s\n", page)
	// Output: hello from 10.0.0.2
}

// With a virtual clock and links that are function calls, a program, a simulator or a test moves the packets and the time; the stack
// starts no goroutine.
func ExampleStack_Advance() {
	var clock socketapi.VirtualClock
	stack, err := socketapi.New(socketapi.Config{
		Clock: &clock,
		Interfaces: []socketapi.Interface{{
			Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")},
			Output: func(now time.Duration, datagram []byte) {
				fmt.Printf("%v: a segment of %d bytes\n", now, len(datagram)-20)
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stack.Close()
	s := stack.Berkeley()
	fd, _ := s.Socket(socketapi.AF_INET, socketapi.SOCK_STREAM|socketapi.SOCK_NONBLOCK, 0)
	fmt.Println(s.Connect(fd, netip.MustParseAddrPort("10.0.0.2:80")))
	for range 3 {
		next, _ := stack.NextDeadline()
		stack.Advance(next)
	}
	// Output:
	// 0s: a segment of 40 bytes
	// operation now in progress
	// 1s: a segment of 40 bytes
	// 3s: a segment of 40 bytes
	// 7s: a segment of 40 bytes
}
