"""UDP pinger: python3 pinger.py HOST PORT"""
import sys
import time
from socket import *

clientSocket = socket(AF_INET, SOCK_DGRAM)
clientSocket.settimeout(1)
for i in range(1, 11):
    start = time.time()
    message = f"Ping {i} {start}"
    clientSocket.sendto(message.encode(), (sys.argv[1], int(sys.argv[2])))
    try:
        answer, address = clientSocket.recvfrom(1024)
        rtt = time.time() - start
        print(f"{answer.decode()} RTT {rtt:.6f} s")
    except timeout:
        print("Request timed out")
clientSocket.close()
