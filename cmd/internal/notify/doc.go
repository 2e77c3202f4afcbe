// Package notify answers system calls of another program by seccomp's user notification (seccomp_unotify(2)): a Filter selects the
// calls, Supervise runs a function on a thread whose children have that filter, and a Listener hands the selected calls to this
// process, which answers them, lets the kernel run them, or puts a descriptor into the program.
package notify
