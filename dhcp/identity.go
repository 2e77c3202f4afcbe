package dhcp

import (
	crand "crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// identity is the identifiers of one interface's clients, DHCPv4 and DHCPv6 alike (RFC 4361 section 6.1): the DUID, which is that of the
// user's stacks (RFC 6355), and the IAID of the interface.
type identity struct {
	iaid [4]byte
	duid dhcpv6.DUIDUUID
}

// newIdentity makes the identifiers from a secret; without one they are random.
func newIdentity(secret []byte, device string) (id identity) {
	if secret == nil {
		secret = make([]byte, 32)
		_, _ = crand.Read(secret) // which never fails
	}
	uuid := sha256.Sum256(append([]byte("DUID-UUID\x00"), secret...))
	copy(id.duid.UUID[:], uuid[:])
	id.duid.UUID[6] = id.duid.UUID[6]&0x0f | 0x80 // version 8, RFC 9562 section 5.8
	id.duid.UUID[8] = id.duid.UUID[8]&0x3f | 0x80
	name := sha256.Sum256([]byte("IAID\x00" + device))
	copy(id.iaid[:], name[:])
	return id
}

// duidType is the type of client identifiers that hold an IAID and a DUID (RFC 4361 section 6.1).
const duidType = 255

// client is the client identifier of DHCPv4.
func (id *identity) client() []byte {
	return append(append([]byte{duidType}, id.iaid[:]...), id.duid.ToBytes()...)
}

// parse takes the identifiers from a client identifier that client has made.
func (id *identity) parse(b []byte) error {
	if len(b) < 5 || b[0] != duidType {
		return fmt.Errorf("the client identifier %x is not of type 255", b)
	}
	d, err := dhcpv6.DUIDFromBytes(b[5:])
	duid, ok := d.(*dhcpv6.DUIDUUID)
	if err != nil || !ok {
		return fmt.Errorf("the client identifier %x has no DUID-UUID", b)
	}
	id.iaid, id.duid = [4]byte(b[1:5]), *duid
	return nil
}
