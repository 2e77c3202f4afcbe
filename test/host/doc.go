// Package host shows the whole program on a real device: its tests bring up stacks on TUN and TAP interfaces in a network
// namespace of their own, and let the host's kernel, ping, telnet, curl, Python and C talk with them. There is nothing
// here but the tests, and they need Linux.
//
// Sizes are small by default. With TUNSTACK_LONG=1 in the environment they are those that the project promises.
package host
