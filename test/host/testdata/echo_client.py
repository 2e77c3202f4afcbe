"""TCP echo client: python3 echo_client.py HOST PORT MESSAGE"""
import sys
from socket import *

clientSocket = socket(AF_INET, SOCK_STREAM)
clientSocket.connect((sys.argv[1], int(sys.argv[2])))
message = sys.argv[3].encode()
clientSocket.sendall(message)
answer = b""
while len(answer) < len(message):
    data = clientSocket.recv(1024)
    if not data:
        break
    answer += data
print("From Server:", answer.decode())
clientSocket.close()
