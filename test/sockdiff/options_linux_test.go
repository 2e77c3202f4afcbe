package sockdiff

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tunstack/socketapi"
)

// sockopt is an option that scripts use.
type sockopt struct {
	level, name int
	size        int      // of the buffer for getsockopt in bytes; 0: getsockopt is not called
	values      []string // for setsockopt: an int, "x" and bytes in hexadecimal, or a quoted string; nil: setsockopt is not called
}

const (
	sol = socketapi.SOL_SOCKET
	ip  = socketapi.IPPROTO_IP
	ip6 = socketapi.IPPROTO_IPV6
	tcp = socketapi.IPPROTO_TCP
)

// flags are the values of an option that is on or off.
var flags = []string{"0", "1"}

// mreqs are structs ipv6_mreq: ff05::9 and ff02::9 on an interface, and no group.
var mreqs = []string{
	"xff05000000000000000000000000000901000000", "xff02000000000000000000000000000901000000", "xff05000000000000000000000000000909000000",
	"x0000000000000000000000000000000101000000", "xff05",
}

// options are the options that scripts use, by name.
var options = map[string]sockopt{
	"SO_ERROR":      {sol, socketapi.SO_ERROR, 4, nil},
	"SO_TYPE":       {sol, socketapi.SO_TYPE, 4, nil},
	"SO_ACCEPTCONN": {sol, socketapi.SO_ACCEPTCONN, 4, nil},
	"SO_REUSEADDR":  {sol, socketapi.SO_REUSEADDR, 4, []string{"0", "1"}},
	"SO_REUSEPORT":  {sol, socketapi.SO_REUSEPORT, 4, []string{"0", "1"}},
	"SO_KEEPALIVE":  {sol, socketapi.SO_KEEPALIVE, 4, []string{"0", "1"}},
	"SO_OOBINLINE":  {sol, socketapi.SO_OOBINLINE, 4, []string{"0", "1"}},
	"SO_BROADCAST":  {sol, socketapi.SO_BROADCAST, 4, []string{"0", "1"}},
	"SO_LINGER":     {sol, socketapi.SO_LINGER, 8, []string{"x0100000000000000", "x0000000000000000", "x0000000007000000", "x01"}},
	"SO_RCVTIMEO":   {sol, socketapi.SO_RCVTIMEO, 16, []string{"x0200000000000000a086010000000000", "xffffffffffffffff0000000000000000", "x000000000000000040420f0000000000"}},
	"SO_RCVBUF":     {sol, socketapi.SO_RCVBUF, 0, []string{"0", "-1", "20000"}},
	"SO_SNDBUF":     {sol, socketapi.SO_SNDBUF, 0, []string{"0", "-1", "20000"}},

	"IP_TOS":           {ip, socketapi.IP_TOS, 4, []string{"0", "16"}},
	"IP_TTL":           {ip, socketapi.IP_TTL, 4, []string{"-1", "0", "9", "256"}},
	"IP_OPTIONS":       {ip, socketapi.IP_OPTIONS, 0, []string{"x630901", "x01010100", "x0101010101010100", "x00000000"}},
	"IP_MTU":           {ip, socketapi.IP_MTU, 4, nil},
	"IP_MTU_DISCOVER":  {ip, socketapi.IP_MTU_DISCOVER, 4, []string{"-1", "0", "1", "2", "3", "4", "5", "6"}},
	"IP_MULTICAST_TTL": {ip, socketapi.IP_MULTICAST_TTL, 4, []string{"-2", "-1", "0", "1", "255", "256"}},
	"IP_MULTICAST_IF":  {ip, socketapi.IP_MULTICAST_IF, 4, []string{"x7f000001", "xc0000201", "x00000000"}},

	"IP_PKTINFO":  {ip, socketapi.IP_PKTINFO, 4, flags},
	"IP_RECVTTL":  {ip, socketapi.IP_RECVTTL, 4, flags},
	"IP_RECVTOS":  {ip, socketapi.IP_RECVTOS, 4, flags},
	"IP_FREEBIND": {ip, socketapi.IP_FREEBIND, 4, flags},
	"IP_RECVERR":  {ip, socketapi.IP_RECVERR, 4, flags},

	"SO_DOMAIN":             {sol, socketapi.SO_DOMAIN, 4, nil},
	"SO_PROTOCOL":           {sol, socketapi.SO_PROTOCOL, 4, nil},
	"IPV6_V6ONLY":           {ip6, socketapi.IPV6_V6ONLY, 4, flags},
	"IPV6_UNICAST_HOPS":     {ip6, socketapi.IPV6_UNICAST_HOPS, 4, []string{"-2", "-1", "0", "9", "256"}},
	"IPV6_TCLASS":           {ip6, socketapi.IPV6_TCLASS, 4, []string{"-2", "-1", "0", "16", "19", "256"}},
	"IPV6_MINHOPCOUNT":      {ip6, socketapi.IPV6_MINHOPCOUNT, 4, []string{"-1", "0", "9", "256"}},
	"IPV6_MULTICAST_HOPS":   {ip6, socketapi.IPV6_MULTICAST_HOPS, 4, []string{"-2", "-1", "0", "9", "256"}},
	"IPV6_MULTICAST_LOOP":   {ip6, socketapi.IPV6_MULTICAST_LOOP, 4, []string{"0", "1", "2"}},
	"IPV6_MULTICAST_IF":     {ip6, socketapi.IPV6_MULTICAST_IF, 4, []string{"0", "1", "9", "-1"}},
	"IPV6_MULTICAST_ALL":    {ip6, socketapi.IPV6_MULTICAST_ALL, 4, flags},
	"IPV6_UNICAST_IF":       {ip6, socketapi.IPV6_UNICAST_IF, 4, []string{"0", "x00000001", "x00000009"}},
	"IPV6_MTU":              {ip6, socketapi.IPV6_MTU, 4, []string{"0", "1279", "1280", "65536"}},
	"IPV6_MTU_DISCOVER":     {ip6, socketapi.IPV6_MTU_DISCOVER, 4, []string{"-1", "0", "1", "2", "3", "4", "5", "6"}},
	"IPV6_DONTFRAG":         {ip6, socketapi.IPV6_DONTFRAG, 4, flags},
	"IPV6_RECVERR":          {ip6, socketapi.IPV6_RECVERR, 4, flags},
	"IPV6_RECVPKTINFO":      {ip6, socketapi.IPV6_RECVPKTINFO, 4, flags},
	"IPV6_RECVHOPLIMIT":     {ip6, socketapi.IPV6_RECVHOPLIMIT, 4, flags},
	"IPV6_RECVTCLASS":       {ip6, socketapi.IPV6_RECVTCLASS, 4, flags},
	"IPV6_AUTOFLOWLABEL":    {ip6, socketapi.IPV6_AUTOFLOWLABEL, 4, flags},
	"IPV6_FREEBIND":         {ip6, socketapi.IPV6_FREEBIND, 4, flags},
	"IPV6_ADDR_PREFERENCES": {ip6, socketapi.IPV6_ADDR_PREFERENCES, 4, []string{"0", "1", "2", "3", "256", "4096"}},
	"IPV6_CHECKSUM":         {ip6, socketapi.IPV6_CHECKSUM, 4, []string{"-1", "0", "1", "2"}},
	"IPV6_JOIN_GROUP":       {ip6, socketapi.IPV6_JOIN_GROUP, 0, mreqs},
	"IPV6_LEAVE_GROUP":      {ip6, socketapi.IPV6_LEAVE_GROUP, 0, mreqs},
	"IPV6_HOPOPTS":          {ip6, socketapi.IPV6_HOPOPTS, 0, []string{"x", "x0000", "x0000010400000000", "x00011e0c000000000000000000000000"}},
	"IPV6_DSTOPTS":          {ip6, socketapi.IPV6_DSTOPTS, 0, []string{"x", "x0000010400000000", "x0001"}},

	"TCP_NODELAY":      {tcp, socketapi.TCP_NODELAY, 4, []string{"0", "1"}},
	"TCP_CORK":         {tcp, socketapi.TCP_CORK, 4, []string{"0", "1"}},
	"TCP_MAXSEG":       {tcp, socketapi.TCP_MAXSEG, 0, []string{"0", "87", "88", "1000", "32768"}},
	"TCP_CONGESTION":   {tcp, socketapi.TCP_CONGESTION, 0, []string{`"reno"`, `"cubic"`, `""`, `"nonsense"`}},
	"TCP_KEEPCNT":      {tcp, socketapi.TCP_KEEPCNT, 4, []string{"0", "3", "128"}},
	"TCP_USER_TIMEOUT": {tcp, socketapi.TCP_USER_TIMEOUT, 4, []string{"-1", "0", "5000"}},
	"TCP_INFO":         {tcp, socketapi.TCP_INFO, 1, nil}, // the first byte is the state
}

// layout is the value of an option in the form for setsockopt.
func layout(value string) []byte {
	if text, ok := strings.CutPrefix(value, "x"); ok {
		b, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		return b
	}
	if text, err := strconv.Unquote(value); err == nil {
		return []byte(text)
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		panic(err)
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(n))
}

// unlayout prints the result of getsockopt.
func unlayout(o sockopt, b []byte) string {
	if o.size == 4 && len(b) == 4 {
		return strconv.Itoa(int(int32(binary.NativeEndian.Uint32(b))))
	}
	return fmt.Sprintf("x%x", b)
}
