// Package sockdiff compares the stack's sockets with the kernel's. Its test makes random sequences of socket calls, of both address
// families, with non-blocking and with blocking sockets, runs each on the kernel in a network namespace and on a stack, over the
// loopback of either, and compares the results of every call. It shrinks a script with a difference to the shortest that still differs. accepted.tsv lists the intended differences, with the
// reason for each.
//
//	go test ./test/sockdiff -scripts 100000 -seed 7
package sockdiff
