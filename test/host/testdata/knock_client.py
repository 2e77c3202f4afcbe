"""Knock-knock client: python3 knock_client.py HOST PORT"""
import sys
from socket import *

clientSocket = socket(AF_INET, SOCK_STREAM)
clientSocket.connect((sys.argv[1], int(sys.argv[2])))
clientSocket.send(b"Knock knock")
print("server:", clientSocket.recv(1024).decode())
clientSocket.send(b"Lettuce")
print("server:", clientSocket.recv(1024).decode())
clientSocket.send(b"Lettuce in, it's cold out here!")
assert clientSocket.recv(1024) == b"", "the server does not close"
clientSocket.close()
