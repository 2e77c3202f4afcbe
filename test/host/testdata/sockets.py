"""Prints what sockets of the loopback do, so that two implementations can be compared: python3 sockets.py FAMILY (4 or 6)"""
import array
import errno
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import threading
from socket import *
from socket import socket as Socket

IP_RECVTTL, IP_PKTINFO = 12, 8  # Python 3.11 lacks them

V6 = sys.argv[1] == "6"
FAMILY, HOST = (AF_INET6, "::1") if V6 else (AF_INET, "127.0.0.1")
NAMES = {select.POLLIN: "IN", select.POLLPRI: "PRI", select.POLLOUT: "OUT", select.POLLERR: "ERR", select.POLLHUP: "HUP", select.POLLRDHUP: "RDHUP"}
ALL = select.POLLIN | select.POLLPRI | select.POLLOUT | select.POLLRDHUP


def show(what, *values):
    print(what + ":", *values, flush=True)


def poll(s, wait=0):
    """The events of s, after it shows one of wait."""
    p = select.poll()
    if wait:
        p.register(s, wait)
        if not p.poll(10000):
            return "nothing within 10 s"
    p.register(s, ALL)
    got = p.poll(0)
    return "|".join(n for bit, n in NAMES.items() if got and got[0][1] & bit) or "nothing"


def attempt(f, *args):
    """The result of a call, or its error."""
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, e)


def new(kind):
    return Socket(FAMILY, kind)


def listener():
    l = new(SOCK_STREAM)
    l.bind((HOST, 0))
    l.listen(5)
    return l


def closed_port():
    s = new(SOCK_STREAM)
    s.bind((HOST, 0))
    port = s.getsockname()[1]
    s.close()
    return port


def pair():
    l = listener()
    c = new(SOCK_STREAM)
    c.connect(l.getsockname())
    s, _ = l.accept()
    l.close()
    return c, s


def error(s):
    return errno.errorcode.get(s.getsockopt(SOL_SOCKET, SO_ERROR), 0)


def unconnected():
    s = new(SOCK_STREAM)
    show("poll", poll(s))
    show("getpeername", attempt(s.getpeername))
    show("shutdown", attempt(s.shutdown, SHUT_WR))
    show("accept", attempt(s.accept))
    show("type", s.getsockopt(SOL_SOCKET, SO_TYPE), s.getsockopt(SOL_SOCKET, SO_DOMAIN) == FAMILY, s.getsockopt(SOL_SOCKET, SO_PROTOCOL))
    show("name", s.getsockname()[1])


def connects():
    l = listener()
    s = new(SOCK_STREAM)
    s.setblocking(False)
    show("connect", errno.errorcode.get(s.connect_ex(l.getsockname()), 0))
    show("poll", poll(s, select.POLLOUT))
    show("error", error(s))
    show("again", errno.errorcode.get(s.connect_ex(l.getsockname()), 0))
    show("and again", errno.errorcode.get(s.connect_ex(l.getsockname()), 0))
    c, peer = l.accept()
    show("peer", peer == s.getsockname(), c.getpeername() == peer, s.getpeername() == l.getsockname())
    show("recv", attempt(s.recv, 1))


def refused():
    s = new(SOCK_STREAM)
    s.setblocking(False)
    show("connect", errno.errorcode.get(s.connect_ex((HOST, closed_port())), 0))
    show("poll", poll(s, select.POLLOUT))
    show("errors", error(s), error(s))
    s = new(SOCK_STREAM)
    show("blocking", attempt(s.connect, (HOST, closed_port())))
    show("poll", poll(s))
    l = listener()
    show("another", attempt(s.connect, l.getsockname()))
    show("poll", poll(s))
    s.send(b"x")
    show("recv", l.accept()[0].recv(10))


def listens():
    l = listener()
    l.setblocking(False)
    show("poll", poll(l), attempt(l.accept))
    clients = []
    for _ in range(2):
        clients.append(new(SOCK_STREAM))
        clients[-1].connect(l.getsockname())
    show("poll", poll(l, select.POLLIN))
    first, _ = l.accept()
    show("poll", poll(l, select.POLLIN))
    second, _ = l.accept()
    show("poll", poll(l), attempt(l.accept))
    show("accepting", l.getsockopt(SOL_SOCKET, SO_ACCEPTCONN), first.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
    show("connect", attempt(l.connect, l.getsockname()))
    clients[1].close()
    show("peers", poll(second, select.POLLIN), poll(first))


def epoll_edges():
    l = listener()
    l.setblocking(False)
    e = select.epoll()
    e.register(l, select.EPOLLIN | select.EPOLLET)
    show("idle", len(e.poll(0)))
    for _ in range(3):
        c = new(SOCK_STREAM)
        c.connect(l.getsockname())
        show("edge", len(e.poll(10)), len(e.poll(0)))
        s, _ = l.accept()
        show("empty", attempt(l.accept))
    s.setblocking(False)
    e.register(s, select.EPOLLIN | select.EPOLLET)
    for _ in range(2):
        c.send(b"x")
        show("data", len(e.poll(10)), len(e.poll(0)))


def fin():
    a, b = pair()
    a.send(b"last")
    a.shutdown(SHUT_WR)
    show("poll", poll(b, select.POLLRDHUP), b.recv(10), b.recv(10))
    show("poll of the other", poll(a))
    show("send", attempt(a.send, b"x"))
    b.send(b"answer")
    show("answer", a.recv(10))
    b.close()
    show("poll", poll(a, select.POLLHUP))
    show("recv", a.recv(10))


def reset():
    a, b = pair()
    a.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    a.close()
    show("poll", poll(b, select.POLLERR))
    show("recv", attempt(b.recv, 1), attempt(b.recv, 1), attempt(b.send, b"x"))
    show("error", error(b), poll(b))
    a, b = pair()
    b.send(b"unread")
    poll(a, select.POLLIN)
    a.close()
    show("poll", poll(b, select.POLLERR), error(b), error(b), attempt(b.recv, 1))


def shut():
    a, b = pair()
    got = []
    t = threading.Thread(target=lambda: got.append(a.recv(10)))
    t.start()
    a.shutdown(SHUT_RDWR)
    t.join()
    show("recv", got, poll(a), b.recv(10))
    a, b = pair()
    a.shutdown(SHUT_RD)
    show("shut for receiving", a.recv(10), poll(a), attempt(a.send, b"x"), b.recv(10))
    show("how", attempt(a.shutdown, 3))


def options():
    a, b = pair()
    show("nodelay", a.getsockopt(IPPROTO_TCP, TCP_NODELAY))
    a.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    a.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    a.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 77)
    show("set", a.getsockopt(IPPROTO_TCP, TCP_NODELAY), a.getsockopt(SOL_SOCKET, SO_KEEPALIVE), a.getsockopt(IPPROTO_TCP, TCP_KEEPIDLE))
    a.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    show("timeout", attempt(a.recv, 1), struct.unpack("ll", a.getsockopt(SOL_SOCKET, SO_RCVTIMEO, 16))[0])
    show("unknown", attempt(a.getsockopt, SOL_SOCKET, 9999), attempt(a.setsockopt, IPPROTO_TCP, 9999, 1), attempt(a.setsockopt, IPPROTO_TCP, TCP_NODELAY, b""))
    l = listener()
    l.setsockopt(SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    show("accept", attempt(l.accept))
    b.send(b"hello")
    poll(a, select.POLLIN)
    n = array.array("i", [0])
    fcntl.ioctl(a, termios.FIONREAD, n)
    show("unread", n[0], a.recv(2, MSG_PEEK), a.recv(5, MSG_WAITALL))
    fcntl.ioctl(a, termios.TIOCOUTQ, n)
    show("unsent", n[0])


def datagrams():
    a, b = new(SOCK_DGRAM), new(SOCK_DGRAM)
    a.bind((HOST, 0))
    b.bind((HOST, 0))
    show("poll", poll(a))
    b.sendto(b"", a.getsockname())
    b.sendto(b"hello", a.getsockname())
    b.sendto(b"hello world", a.getsockname())
    show("poll", poll(a, select.POLLIN))
    show("empty", a.recvfrom(10) == (b"", b.getsockname()))
    n = array.array("i", [0])
    poll(a, select.POLLIN)
    fcntl.ioctl(a, termios.FIONREAD, n)
    show("next", n[0], a.recvfrom(10, MSG_PEEK)[0], a.recvfrom_into(bytearray(3), 3, MSG_PEEK | MSG_TRUNC)[0], a.recvmsg(3)[0::2])
    show("rest", a.recvmsg(100)[0::2], poll(a), attempt(a.recvfrom, 10, MSG_DONTWAIT))
    b.connect(a.getsockname())
    show("send", b.send(b"one"), os.write(b.fileno(), b"two"), attempt(b.sendto, b"three", a.getsockname()))
    show("got", a.recv(10), a.recv(10), a.recvfrom(10)[0])
    show("long", attempt(b.send, b"x" * 70000), attempt(b.sendto, b"x" * 70000, a.getsockname()))
    a.settimeout(0.05)
    show("timeout", attempt(lambda: a.recvfrom(1)))


def refused_datagram():
    a = new(SOCK_DGRAM)
    a.connect((HOST, closed_port()))
    a.send(b"x")
    show("recvfrom", attempt(a.recvfrom, 10))
    show("errors", error(a))


def control():
    a, b = new(SOCK_DGRAM), new(SOCK_DGRAM)
    a.bind((HOST, 0))
    if V6:
        a.setsockopt(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
        a.setsockopt(IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
        a.setsockopt(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        b.sendmsg([b"he", b"llo"], [(IPPROTO_IPV6, IPV6_HOPLIMIT, struct.pack("i", 7)), (IPPROTO_IPV6, IPV6_TCLASS, struct.pack("i", 8))], 0, a.getsockname())
    else:
        a.setsockopt(IPPROTO_IP, IP_RECVTTL, 1)
        a.setsockopt(IPPROTO_IP, IP_RECVTOS, 1)
        a.setsockopt(IPPROTO_IP, IP_PKTINFO, 1)
        b.sendmsg([b"he", b"llo"], [(IPPROTO_IP, IP_TTL, struct.pack("i", 7)), (IPPROTO_IP, IP_TOS, struct.pack("i", 8))], 0, a.getsockname())
    data, messages, flags, _ = a.recvmsg(100, 1000)
    show("message", data, flags, sorted(messages))
    b.sendto(b"x", a.getsockname())
    data, messages, flags, _ = a.recvmsg(100, 10)
    show("no room", data, messages, flags & MSG_CTRUNC != 0)


def interrupted():
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    signal.signal(signal.SIGALRM, ring)
    a, _b = pair()
    for what, call in [("accept", listener().accept), ("recvfrom", new(SOCK_DGRAM).recvfrom), ("recv", a.recv)]:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            call(*([] if what == "accept" else [10]))
        except Alarm:
            show(what, "interrupted")
    l = listener()
    rung = []
    signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)  # python restarts the call
    t = threading.Timer(0.2, lambda: new(SOCK_STREAM).connect(l.getsockname()))
    t.start()
    l.accept()
    signal.setitimer(signal.ITIMER_REAL, 0)
    t.join()
    show("restarted", len(rung) > 1)


def processes():
    l = listener()
    child = os.fork()
    if child == 0:
        c, _ = l.accept()
        c.send(b"child")
        os._exit(0)
    l2 = l.dup()
    l.close()
    s = new(SOCK_STREAM)
    s.connect(l2.getsockname())
    os.waitpid(child, 0)
    show("child", s.recv(10), s.recv(10))
    a, b = pair()
    copy = a.dup()
    a.close()
    copy.send(b"copy")
    show("copy", b.recv(10), poll(b))
    left, right = socketpair()
    send_fds(left, [b"x"], [copy.fileno()])
    _, fds, _, _ = recv_fds(right, 1, 1)
    copy.close()
    os.write(fds[0], b"passed")
    show("passed", b.recv(10))
    os.close(fds[0])
    show("closed", b.recv(10))


def listener_ends():
    l = listener()
    got = []
    t = threading.Thread(target=lambda: got.append(attempt(l.accept)))
    t.start()
    threading.Event().wait(0.05)  # accept waits by now, or returns the same afterwards
    l.shutdown(SHUT_RD)
    t.join()
    show("accept", got)
    port = l.getsockname()[1]
    l.close()
    again = new(SOCK_STREAM)
    again.bind((HOST, port))
    again.listen()
    show("port", again.getsockname()[1] == port)
    other = new(SOCK_STREAM)
    show("in use", attempt(other.bind, (HOST, port)))


for test in [unconnected, connects, refused, listens, epoll_edges, fin, reset, shut, options, datagrams, refused_datagram, control, interrupted,
             processes, listener_ends]:
    print("---", test.__name__)
    test()
