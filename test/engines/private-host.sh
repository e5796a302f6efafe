#!/bin/sh
# A host of its own for a container engine: processes, mounts, network, IPC and a name, cgroup v2 alone
# on /sys/fs/cgroup, an empty /run and an empty /var/lib. Says "ready", and lasts until it is killed.
#
#   private-host.sh CGROUP [COMMAND...]
#
# CGROUP is a new directory of cgroup v2; who called removes it. The host's first process becomes COMMAND.
# With TSRUN_ENGINES_ROOT its files are those of that directory, and what is written to them is thrown away;
# of the machine's own it has TSRUN_ENGINES_SHARED (paths with ":" between them).
set -eu
echo 0 > "$1/cgroup.procs"
shift
exec unshare --cgroup --mount --pid --net --ipc --uts --fork --kill-child --mount-proc \
  --propagation private sh -c 'set -eu
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/init
    echo 0 > /sys/fs/cgroup/init/cgroup.procs
    if [ -n "${TSRUN_ENGINES_ROOT:-}" ]; then
      mount -t tmpfs -o mode=755 tmpfs /mnt
      cd /mnt
      mkdir upper work root
      mount -t overlay -o "lowerdir=$TSRUN_ENGINES_ROOT,upperdir=/mnt/upper,workdir=/mnt/work" overlay root
      IFS=:
      for folder in proc sys dev tmp $TSRUN_ENGINES_SHARED; do
        mkdir -p "root/$folder"
        mount --rbind "/${folder#/}" "root/$folder"
      done
      unset IFS
      cd root
      pivot_root . mnt
      umount -l /mnt
      cd /
    fi
    mount -t tmpfs tmpfs /run
    mkdir /run/lock
    mount -t tmpfs tmpfs /var/lib
    ip link set lo up
    echo ready
    [ $# -gt 0 ] || set -- sleep infinity
    exec "$@"' sh "$@"
