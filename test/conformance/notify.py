"""What systemd does for a service of Type=notify: give it a socket, and read what comes.

usage: notify.py SOCKET COMMAND…
prints: each line that comes, "(N descriptors)" with those that bring some, and whether the command still
ran then; at last the command's status
"""
import array
import os
import select
import socket
import subprocess
import sys

path, *argv = sys.argv[1:]
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(path)
os.environ["NOTIFY_SOCKET"] = path
null = subprocess.DEVNULL  # the container keeps all three
command = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null)
ended = os.pidfd_open(command.pid)
while True:
    ready, _, _ = select.select([server, ended], [], [])
    if server not in ready:
        break
    data, control, _, _ = server.recvmsg(4096, socket.CMSG_SPACE(64))
    state = "running" if command.poll() is None else "ended"
    fds = array.array("i")
    for _, _, rights in control:
        fds.frombytes(rights[: len(rights) - len(rights) % fds.itemsize])
    for line in data.decode().splitlines():
        print(line, f"({len(fds)} descriptors)" if fds else "", state, flush=True)
    for fd in fds:
        os.close(fd)
print(command.wait())
