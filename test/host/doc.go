// Package host tests the whole program on a real device: its tests start stacks on TUN and TAP interfaces in a new network
// namespace, and connect the host's kernel, ping, telnet, curl, Python and C to them. It contains only tests, and they need
// Linux.
//
// Sizes are small by default. With TUNSTACK_LONG=1 in the environment they are the promised ones.
package host
