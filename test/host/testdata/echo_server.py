"""TCP echo server: python3 echo_server.py PORT"""
import sys
from socket import *

serverSocket = socket(AF_INET, SOCK_STREAM)
serverSocket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
serverSocket.bind(("", int(sys.argv[1])))
serverSocket.listen(1)
print("The server is ready to receive", flush=True)
while True:
    connectionSocket, addr = serverSocket.accept()
    while True:
        data = connectionSocket.recv(1024)
        if not data:
            break
        connectionSocket.sendall(data)
    connectionSocket.close()
