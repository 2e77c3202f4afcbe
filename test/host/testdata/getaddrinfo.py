# Prints what glibc's getaddrinfo(3) and getnameinfo(3) say: a line of JSON for each line of JSON on standard input.
import json
import socket
import sys


def addrinfo(node, service, family, kind, protocol, flags):
    node = None if node == "" else node.encode()  # Python does not encode bytes as IDNA
    rows = socket.getaddrinfo(node, service or None, family, kind, protocol, flags)
    return [[row[0], row[1], row[2], row[3], row[4][0], row[4][1]] for row in rows]


for line in sys.stdin:
    case = json.loads(line)
    try:
        if case["name"]:
            result = list(socket.getnameinfo((case["name"], case["port"]), case["flags"]))
        else:
            result = addrinfo(case["node"], case["service"], case["family"], case["type"], case["protocol"], case["flags"])
    except socket.gaierror as error:
        result = error.errno
    print(json.dumps(result))
