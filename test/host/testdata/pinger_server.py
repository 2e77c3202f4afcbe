"""Server of the UDP pinger, which loses some of the pings: python3 pinger_server.py PORT"""
import random
import sys
from socket import *

random.seed(1)  # the same ones every time
serverSocket = socket(AF_INET, SOCK_DGRAM)
serverSocket.bind(("", int(sys.argv[1])))
while True:
    rand = random.randint(0, 10)
    message, address = serverSocket.recvfrom(1024)
    message = message.upper()
    if rand < 4:
        continue
    serverSocket.sendto(message, address)
