// Package attack holds attacks as load on a real device, beside a legitimate client, which is the kernel: what becomes of that is
// the result. The same attacks in virtual time, with their costs counted in operations, are beside the code and in test/hostile.
// They run in a network namespace of their own.
package attack
