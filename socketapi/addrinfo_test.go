package socketapi

import (
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/dns"
	"tunstack/ip"
)

// knowing makes a stack read files with the given contents instead of the machine's. It has the resolver begin anew.
func (h host) knowing(hosts, services string) host {
	h.t.Helper()
	write := func(name, text string) string {
		path := filepath.Join(h.t.TempDir(), name)
		require.NoError(h.t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	h.resolver.Close()
	h.startResolver(dns.Config{Hosts: write("hosts", hosts)})
	h.services = servicesFile(write("services", services))
	return h
}

func TestGetAddrInfo(t *testing.T) { // SOCK-053
	h := alone(t).knowing("# hosts\n10.0.0.7 box.example Box # me\n10.0.0.8 box\n2001:db8::7 box\nbad box\n10.0.0.9\n",
		"http 80/tcp www\nhttp 80/udp\ntftp 69/udp\nbig 70000/tcp\n")
	for _, c := range []struct {
		node, service string
		hints         AddrInfo
		want          []string // addresses
		err           error
	}{
		{"10.0.0.2", "7", AddrInfo{Socktype: SOCK_STREAM}, []string{"10.0.0.2:7"}, nil},
		{"10.0.0.2", "7", AddrInfo{}, []string{"10.0.0.2:7", "10.0.0.2:7", "10.0.0.2:7"}, nil},
		{"10.2", "", AddrInfo{Socktype: SOCK_RAW}, []string{"10.0.0.2:0"}, nil},
		{"box", "www", AddrInfo{}, []string{"[2001:db8::7]:80", "10.0.0.7:80", "10.0.0.8:80"}, nil},
		{"BOX.example.", "http", AddrInfo{Protocol: IPPROTO_UDP}, []string{"10.0.0.7:80"}, nil},
		{"", "tftp", AddrInfo{}, []string{"[::1]:69", "127.0.0.1:69"}, nil},
		{"", "tftp", AddrInfo{Flags: AI_PASSIVE}, []string{"0.0.0.0:69", "[::]:69"}, nil},
		{"", "tftp", AddrInfo{Flags: AI_PASSIVE, Family: AF_INET6}, []string{"[::]:69"}, nil},
		{"", "69", AddrInfo{Flags: AI_PASSIVE | AI_NUMERICSERV, Socktype: SOCK_DGRAM}, []string{"0.0.0.0:69", "[::]:69"}, nil},
		{"box", "80", AddrInfo{Flags: AI_NUMERICHOST}, nil, EAI_NONAME},
		{"1.2.3.4.5", "80", AddrInfo{}, nil, EAI_NONAME},
		{"256.1.1.1", "80", AddrInfo{Flags: AI_NUMERICHOST}, nil, EAI_NONAME},
		{"nobody", "80", AddrInfo{}, nil, EAI_NONAME},
		{"", "", AddrInfo{}, nil, EAI_NONAME},
		{"box", "http", AddrInfo{Flags: AI_NUMERICSERV}, nil, EAI_NONAME},
		{"box", "tftp", AddrInfo{Socktype: SOCK_STREAM}, nil, EAI_SERVICE},
		{"box", "big", AddrInfo{}, nil, EAI_SERVICE},
		{"box", "65536", AddrInfo{}, nil, EAI_SERVICE},
		{"box", "80", AddrInfo{Family: 9}, nil, EAI_FAMILY},
		{"box", "80", AddrInfo{Socktype: 9}, nil, EAI_SOCKTYPE},
		{"box", "80", AddrInfo{Flags: 1 << 20}, nil, EAI_BADFLAGS},
		{"", "80", AddrInfo{Flags: AI_CANONNAME}, nil, EAI_BADFLAGS},
	} {
		list, err := h.GetAddrInfo(c.node, c.service, &c.hints)
		if c.err != nil {
			require.Equal(t, c.err, err, "%+v", c)
			require.NotEmpty(t, err.Error())
			continue
		}
		require.NoError(t, err, "%+v", c)
		var got []string
		for _, a := range list {
			require.Equal(t, domainOf(ip.VersionOf(a.Addr.Addr())), a.Family)
			got = append(got, a.Addr.String())
		}
		require.Equal(t, c.want, got, "%+v", c)
	}
	list, err := h.GetAddrInfo("box", "80", &AddrInfo{Flags: AI_CANONNAME})
	require.NoError(t, err)
	require.Equal(t, "box.example", list[0].Canonname)
	require.Equal(t, []int{SOCK_STREAM, IPPROTO_TCP}, []int{list[0].Socktype, list[0].Protocol})
}

// The hints decide which families the answers have.
func TestFamiliesOfGetAddrInfo(t *testing.T) { // SOCK6-023, SOCK6-024, SOCK6-025
	none := alone(t)
	only4, _ := pair(t, nil)
	both, _ := dualPair(t)
	for _, h := range []host{none, only4, both} {
		h.knowing("10.0.0.7 four both\n2001:db8::7 six both\n", "")
	}
	for _, c := range []struct {
		on     host
		node   string
		family int
		flags  int
		want   []string
		err    error
	}{
		{both, "four", AF_INET6, 0, nil, EAI_NONAME},
		{both, "four", AF_INET6, AI_V4MAPPED, []string{"::ffff:10.0.0.7"}, nil},
		{both, "both", AF_INET6, AI_V4MAPPED, []string{"2001:db8::7"}, nil},
		{both, "both", AF_INET6, AI_V4MAPPED | AI_ALL, []string{"2001:db8::7", "::ffff:10.0.0.7"}, nil},
		{both, "both", AF_INET6, AI_ALL, []string{"2001:db8::7"}, nil},
		{both, "both", AF_INET, AI_V4MAPPED | AI_ALL, []string{"10.0.0.7"}, nil},
		{both, "both", AF_UNSPEC, AI_ADDRCONFIG, []string{"2001:db8::7", "10.0.0.7"}, nil},
		{only4, "both", AF_UNSPEC, AI_ADDRCONFIG, []string{"10.0.0.7"}, nil},
		{only4, "both", AF_UNSPEC, 0, []string{"10.0.0.7", "2001:db8::7"}, nil}, // RFC 6724: an address that can be reached comes first
		{only4, "both", AF_INET6, AI_ADDRCONFIG, nil, EAI_NONAME},
		{none, "both", AF_UNSPEC, AI_ADDRCONFIG, []string{"2001:db8::7", "10.0.0.7"}, nil},
		{both, "fe80::1%eth0", AF_UNSPEC, AI_NUMERICHOST, []string{"fe80::1%eth0"}, nil},
		{both, "fe80::1%2", AF_INET6, 0, []string{"fe80::1%eth0"}, nil},
		{both, "ff02::1%2", AF_INET6, 0, []string{"ff02::1%eth0"}, nil},
		{both, "fe80::1%eth9", AF_INET6, 0, nil, EAI_NONAME},
		{both, "2001:db8::1%eth0", AF_INET6, 0, nil, EAI_NONAME},
		{both, "", AF_INET6, AI_PASSIVE, []string{"::"}, nil},
		{both, "", AF_INET6, 0, []string{"::1"}, nil},
		{both, "::1", AF_INET, 0, nil, EAI_ADDRFAMILY},
		{both, "127.0.0.1", AF_INET6, 0, nil, EAI_ADDRFAMILY},
		{both, "127.0.0.1", AF_INET6, AI_V4MAPPED, []string{"::ffff:127.0.0.1"}, nil},
		{both, "::ffff:10.0.0.1", AF_INET, 0, []string{"10.0.0.1"}, nil},
	} {
		list, err := c.on.GetAddrInfo(c.node, "7", &AddrInfo{Family: c.family, Flags: c.flags, Socktype: SOCK_STREAM})
		require.Equal(t, c.err, err, "%q %d %#x", c.node, c.family, c.flags)
		var got []string
		for _, a := range list {
			got = append(got, a.Addr.Addr().String())
		}
		require.Equal(t, c.want, got, "%q %d %#x", c.node, c.family, c.flags)
	}
}

func TestGetNameInfo(t *testing.T) { // SOCK6-026
	h := alone(t).knowing("10.0.0.7 box.example box\n2001:db8::7 six\n", "http 80/tcp www\nquic 80/udp\n")
	for _, c := range []struct {
		addr             string
		hostLen, servLen int
		flags            int
		host, serv       string
		err              error
	}{
		{"10.0.0.7:80", 99, 99, 0, "box.example", "http", nil},
		{"[::ffff:10.0.0.7]:80", 99, 99, 0, "box.example", "http", nil},
		{"[2001:db8::7]:80", 99, 99, NI_DGRAM, "six", "quic", nil},
		{"10.0.0.7:80", 99, 99, NI_NOFQDN | NI_NUMERICSERV, "box", "80", nil},
		{"[2001:db8::7]:81", 99, 99, NI_NUMERICHOST, "2001:db8::7", "81", nil},
		{"[::ffff:10.0.0.7]:80", 99, 0, NI_NUMERICHOST, "::ffff:10.0.0.7", "", nil},
		{"[fe80::1%lo]:80", 99, 0, 0, "fe80::1%lo", "", nil},
		{"10.0.0.8:80", 99, 0, 0, "10.0.0.8", "", nil},
		{"10.0.0.8:80", 99, 0, NI_NAMEREQD, "", "", EAI_NONAME},
		{"10.0.0.8:80", 0, 0, 0, "", "", EAI_NONAME},
		{"10.0.0.7:80", 11, 99, 0, "", "", EAI_OVERFLOW},
		{"10.0.0.7:80", 12, 4, 0, "", "", EAI_OVERFLOW},
		{"10.0.0.7:80", 12, 5, 0, "box.example", "http", nil},
		{"10.0.0.7:80", 12, 5, 1 << 20, "", "", EAI_BADFLAGS},
	} {
		host, serv, err := h.GetNameInfo(netip.MustParseAddrPort(c.addr), c.hostLen, c.servLen, c.flags)
		require.Equal(t, c.err, err, "%+v", c)
		require.Equal(t, []string{c.host, c.serv}, []string{host, serv}, "%+v", c)
	}
	_, _, err := h.GetNameInfo(ap0, 9, 9, 0)
	require.Equal(t, EAI_FAMILY, err)
	_, serv, err := alone(t).GetNameInfo(ap("127.0.0.1:0"), 99, 99, NI_NUMERICHOST|NI_NUMERICSERV)
	require.NoError(t, err)
	require.Equal(t, "0", serv)
}

func TestGetAddrInfoOfMachine(t *testing.T) { // SOCK-053
	list, err := alone(t).GetAddrInfo("127.0.0.1", "7", nil)
	require.NoError(t, err)
	require.Len(t, list, 3)
}

func TestInet(t *testing.T) { // SOCK-054
	for _, c := range []struct {
		text       string
		pton, aton string // "": malformed
	}{
		{"1.2.3.4", "1.2.3.4", "1.2.3.4"},
		{"255.255.255.255", "255.255.255.255", "255.255.255.255"},
		{"1.2.3", "", "1.2.0.3"},
		{"10.1", "", "10.0.0.1"},
		{"1.2.65535", "", "1.2.255.255"},
		{"0x7f000001", "", "127.0.0.1"},
		{"0177.0.0.1", "", "127.0.0.1"},
		{"256.1.1.1", "", ""},
		{"1.2.65536", "", ""},
		{"1.2.3.4 ", "", ""},
		{"1.2.3.4x", "", ""},
		{"1..3.4", "", ""},
		{"", "", ""},
		{"1.2.3.4.5", "", ""},
		{"0b1", "", ""},
		{"0o7", "", ""},
		{"1_0.0.0.1", "", ""},
		{"-1", "", ""},
		{"::1", "", ""},
	} {
		check := func(want string, addr [4]byte, ok bool) {
			require.Equal(t, want != "", ok, "%q", c.text)
			if ok {
				require.Equal(t, want, ntop(t, AF_INET, addr[:]))
			}
		}
		var addr [4]byte
		n, err := InetPton(AF_INET, c.text, addr[:])
		require.NoError(t, err)
		check(c.pton, addr, n == 1)
		addr, ok := InetAton(c.text)
		check(c.aton, addr, ok)
	}
}

func ntop(t *testing.T, family int, src []byte) string {
	t.Helper()
	text, err := InetNtop(family, src, INET6_ADDRSTRLEN)
	require.NoError(t, err)
	return text
}

// The texts are glibc's.
func TestInet6(t *testing.T) { // SOCK6-027, IP6-045, IP6-046
	for _, c := range []struct{ text, want string }{
		{"::", "::"},
		{"::1", "::1"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
		{"::1.2.3.4", "::1.2.3.4"},
		{"::5", "::5"},
		{"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
		{"ABCD:EF01:2345:6789:abcd:ef01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"},
		{"0001:0020:0300::", "1:20:300::"},
		{"::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
		{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
		{"0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"},
		{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
		{"fe80::1%lo", ""},
		{":1", ""},
		{"1:", ""},
		{":::", ""},
		{"g::", ""},
		{"1:2:3:4:5:6:7:8:9", ""},
		{"1:2:3:4:5:6:7:1.2.3.4", ""},
		{"::1.2.3", ""},
		{"::1.2.3.256", ""},
		{"1.2.3.4::", ""},
		{" ::1", ""},
		{"10.0.0.1", ""},
		{"1::2::3", ""},
		{"12345::", ""},
		{"1:2:3:4:5:6:7", ""},
		{"", ""},
	} {
		var addr [16]byte
		n, err := InetPton(AF_INET6, c.text, addr[:])
		require.NoError(t, err)
		require.Equal(t, c.want != "", n == 1, c.text)
		if n == 1 {
			require.Equal(t, c.want, ntop(t, AF_INET6, addr[:]))
		}
	}
	n, err := InetPton(AF_UNSPEC, "::1", make([]byte, 16))
	require.Equal(t, -1, n)
	require.Equal(t, syscall.EAFNOSUPPORT, err)
	_, err = InetNtop(1, make([]byte, 16), 46)
	require.Equal(t, syscall.EAFNOSUPPORT, err)
	_, err = InetNtop(AF_INET6, make([]byte, 16), 2)
	require.Equal(t, syscall.ENOSPC, err, "no room for the zero byte")
	text, err := InetNtop(AF_INET6, make([]byte, 16), 3)
	require.NoError(t, err)
	require.Equal(t, "::", text)
}

func TestByteOrder(t *testing.T) { // SOCK-054
	b := []byte{0x12, 0x34, 0x56, 0x78}
	layout16, layout32 := layout(struct{ V uint16 }{Htons(0x1234)}), layout(struct{ V uint32 }{Htonl(0x12345678)})
	require.Equal(t, b[:2], []byte(layout16))
	require.Equal(t, b, []byte(layout32))
	require.EqualValues(t, 0x1234, Ntohs(Htons(0x1234)))
	require.EqualValues(t, 0x12345678, Ntohl(Htonl(0x12345678)))
}

func FuzzInetAton(f *testing.F) {
	for _, seed := range []string{"1.2.3.4", "10.1", "0x7f.1", "017", "1.2.65535", "256.1.1.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, ok := InetAton(text)
		var strict, again [4]byte
		if n, _ := InetPton(AF_INET, text, strict[:]); n == 1 {
			require.True(t, ok)
			require.Equal(t, strict, addr)
		}
		if ok {
			dotted := ntop(t, AF_INET, addr[:])
			n, _ := InetPton(AF_INET, dotted, again[:])
			require.Equal(t, 1, n)
			require.Equal(t, addr, again)
			require.Equal(t, netip.AddrFrom4(addr).String(), dotted)
		}
	})
}
