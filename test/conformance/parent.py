"""What an engine's monitor does: adopt orphans, run the runtime, and look who it got.

usage: parent.py RUNTIME… ; the runtime's arguments hold --pid-file FILE
prints: the status of the runtime, whether we are the parent of the container's first process
"""
import ctypes
import os
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
argv = sys.argv[1:]
null = subprocess.DEVNULL  # the container keeps all three
status = subprocess.call(argv, stdin=null, stdout=null, stderr=null)
with open(argv[argv.index("--pid-file") + 1]) as file:
    pid = int(file.read())
with open(f"/proc/{pid}/stat") as file:
    parent = int(file.read().rsplit(")")[1].split()[1])
print(status, "ours" if parent == os.getpid() else "not ours")
