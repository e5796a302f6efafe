#!/bin/sh
# A host of its own for a container engine: processes, mounts, network, IPC and a name, cgroup v2 alone
# on /sys/fs/cgroup, an empty /run and an empty /var/lib. Says "ready", and lasts until it is killed.
#
#   private-host.sh CGROUP [COMMAND...]
#
# CGROUP is a new directory of cgroup v2; who called removes it. The host's first process becomes COMMAND.
set -eu
echo 0 > "$1/cgroup.procs"
shift
exec unshare --cgroup --mount --pid --net --ipc --uts --fork --kill-child --mount-proc \
  --propagation private sh -c 'set -eu
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/init
    echo 0 > /sys/fs/cgroup/init/cgroup.procs
    mount -t tmpfs tmpfs /run
    mkdir /run/lock
    mount -t tmpfs tmpfs /var/lib
    ip link set lo up
    echo ready
    [ $# -gt 0 ] || set -- sleep infinity
    exec "$@"' sh "$@"
