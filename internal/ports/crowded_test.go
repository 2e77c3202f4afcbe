package ports

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// destinations is a table of connections that counts its calls.
type destinations struct {
	*Table
	taken map[destination]map[uint16]Reservation
	asked int
}

func newDestinations(size uint16) *destinations {
	return &destinations{Table: newTable(1000, 1000+size-1), taken: map[destination]map[uint16]Reservation{}}
}

var local = netip.MustParseAddr("10.0.0.2")

func (d *destinations) connect(to string) (Reservation, error) {
	ports := d.taken[destination{local, ap(to)}]
	if ports == nil {
		ports = map[uint16]Reservation{}
		d.taken[destination{local, ap(to)}] = ports
	}
	r, err := d.Connect(local, ap(to), 0, func(port uint16) bool {
		d.asked++
		_, taken := ports[port]
		return !taken
	})
	if err == nil {
		ports[r.Port()] = r
	}
	return r, err
}

// fill uses all ports to a destination.
func (d *destinations) fill(t *testing.T, to string, size int) {
	for range size {
		_, err := d.connect(to)
		require.NoError(t, err)
	}
	_, err := d.connect(to)
	require.Equal(t, syscall.EADDRNOTAVAIL, err)
}

func (d *destinations) give(to string, port uint16) {
	ports := d.taken[destination{local, ap(to)}]
	r := ports[port]
	delete(ports, port)
	d.Release(r)
}

// SEC-065: when every port to a destination is in use, the next Connect fails without a search, and a released port is found at once.
func TestCrowdedDestination(t *testing.T) {
	const size, one, other = 1000, "10.0.0.1:80", "10.0.0.1:81"
	d := newDestinations(size)
	d.fill(t, one, size)
	costs := func(most int, f func()) {
		t.Helper()
		before := d.asked
		f()
		require.LessOrEqual(t, d.asked-before, most)
	}
	costs(0, func() {
		for range 100 {
			_, err := d.connect(one)
			require.Equal(t, syscall.EADDRNOTAVAIL, err)
		}
	})
	for port := uint16(1100); port < 1200; port++ {
		d.give(one, port)
		costs(1, func() {
			r, err := d.connect(one)
			require.NoError(t, err)
			require.Equal(t, port, r.Port())
		})
	}
	costs(1, func() {
		_, err := d.connect(other)
		require.NoError(t, err, "another destination is not concerned")
	})
	for port := uint16(1300); port < 1700; port++ { // more than are remembered
		d.give(one, port)
	}
	for range 400 {
		_, err := d.connect(one)
		require.NoError(t, err)
	}
	_, err := d.connect(one)
	require.Equal(t, syscall.EADDRNOTAVAIL, err)
	for i := range 3 * maxCrowded {
		d.crowded.enter(destination{remote: netip.AddrPortFrom(local, uint16(i))})
	}
	require.LessOrEqual(t, len(d.crowded.freed), maxCrowded)
	d.give(one, 1500)
	_, err = d.connect(one)
	require.NoError(t, err, "a forgotten destination is searched again")
}
