#!/bin/sh
# Runs a command with processes, mounts and cgroups of its own: it sees, and leaves, only what it made.
#
#   private-view.sh CGROUP2 CGROUP COMMAND…
#
# CGROUP is a new directory below CGROUP2, the mount point of cgroup v2; who called removes it. The
# shell stays as PID 1, because someone must reap what the command's daemons leave.
set -eu
mount_point=$1 cgroup=$2
shift 2
echo $$ > "$cgroup/cgroup.procs"
# The process goes into a leaf: a cgroup that holds processes cannot hand controllers down.
exec unshare --cgroup --mount --pid --fork --kill-child --mount-proc --propagation private \
  sh -c 'set -eu
    mount_point=$1
    shift
    umount "$mount_point"
    mount -t cgroup2 cgroup2 "$mount_point"
    mkdir "$mount_point/test"
    echo 0 > "$mount_point/test/cgroup.procs"
    status=0
    "$@" || status=$?
    exit "$status"' sh "$mount_point" "$@"
