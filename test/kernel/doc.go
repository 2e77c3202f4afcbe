// Package kernel holds the tests in which Linux is the peer: its sockets on one side of a TUN device, this stack on the
// other, and a bad wire between them. They run in a network namespace of their own.
//
// TUNSTACK_LONG=1 makes the transfers larger.
package kernel
