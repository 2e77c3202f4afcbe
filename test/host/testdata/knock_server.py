"""Knock-knock server: python3 knock_server.py PORT"""
import sys
from socket import *

serverSocket = socket(AF_INET, SOCK_STREAM)
serverSocket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
serverSocket.bind(("", int(sys.argv[1])))
serverSocket.listen(1)
while True:
    connectionSocket, addr = serverSocket.accept()
    print("client:", connectionSocket.recv(1024).decode().strip(), flush=True)
    connectionSocket.send(b"Who's there?")
    name = connectionSocket.recv(1024).decode().strip()
    print("client:", name, flush=True)
    connectionSocket.send((name + " who?").encode())
    print("client:", connectionSocket.recv(1024).decode().strip(), flush=True)
    connectionSocket.close()
