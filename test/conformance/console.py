"""Listens on a console socket and shows what comes through the terminal that it is sent.

usage: console.py SOCKET ; prints "ready", then what the terminal showed
"""
import array
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
connection, _ = listener.accept()
_, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
(_, _, data), = ancillary
master, = array.array("i", data)
os.write(master, b"typed\n")
shown = b""
while True:
    try:
        chunk = os.read(master, 4096)
    except OSError:  # EIO: the container has closed it
        break
    if not chunk:
        break
    shown += chunk
sys.stdout.buffer.write(shown)
