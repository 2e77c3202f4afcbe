package socket

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tunstack/ip"
)

// Connections whose hashes are equal are told apart by their FourTuples.
func TestStripeWithEqualHashes(t *testing.T) {
	const hash = 7
	var s stripe
	at := func(i int) *connection { return &connection{flow: flow{id: ip.NewFourTuple(here, client(i))}} }
	conns := []*connection{at(0), at(1), at(2)}
	for _, so := range conns {
		require.True(t, s.insert(hash, so))
		require.False(t, s.insert(hash, at(slices.Index(conns, so))), "the FourTuple is taken")
	}
	s.remove(hash, at(0)) // is not in the table, although its FourTuple is
	for _, i := range []int{1, 0, 2} {
		require.Same(t, conns[i], s.find(hash, &conns[i].id))
		s.remove(hash, conns[i])
		require.Nil(t, s.find(hash, &conns[i].id))
	}
	require.Nil(t, s.conns)
}
