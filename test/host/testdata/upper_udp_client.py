"""UDP client of the upper-case server: python3 upper_udp_client.py HOST PORT, and a sentence on the standard input"""
import sys
from socket import *

clientSocket = socket(AF_INET, SOCK_DGRAM)
message = input("Input lowercase sentence:")
clientSocket.sendto(message.encode(), (sys.argv[1], int(sys.argv[2])))
modifiedMessage, serverAddress = clientSocket.recvfrom(2048)
print(modifiedMessage.decode())
clientSocket.close()
