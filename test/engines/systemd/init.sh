#!/bin/sh
# Becomes systemd, as the first process of a private host: with the units beside this script and no
# others, and a root that it cannot write to.
#
#   init.sh LOG
set -eu
log=$1
folder=$(dirname "$(realpath "$0")")
# systemd takes the cgroup that it is in for the topmost.
echo 0 > /sys/fs/cgroup/cgroup.procs
mount --bind /tmp /tmp
mount -o remount,bind,ro /
mkdir /run/none
# Where systemd keeps the units that it is asked for, and their properties.
made=/run/systemd/transient:/run/systemd/system.control
exec env -i PATH="$PATH" container=tsrun SYSTEMD_UNIT_PATH="$folder:$made" \
  SYSTEMD_GENERATOR_PATH=/run/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none \
  /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no > "$log" 2>&1
