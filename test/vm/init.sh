#!/bin/busybox sh
# PID 1 of the test VM. The host's file system is its root, read-only; the folder this script lies
# in is the only writable part of it, and the channel to the host: command.sh in, stdout, stderr
# and status out. Everything else that is written goes to tmpfs or to the scratch disk.
# In an emulated processor each exec costs 0.1 s: busybox runs its own mount, mkdir and ip in a fork.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
run=${0%/*}
fail() {
  { cat "$run/console"; echo "vm: $1"; } >> "$run/stderr"
  echo 125 > "$run/status.tmp" && mv "$run/status.tmp" "$run/status"
  echo o > /proc/sysrq-trigger
  sleep 60
}
mount -t proc proc /proc || echo "vm: no /proc"
exec >> "$run/console" 2>&1
. "$run/settings.sh" || fail "no settings"

mount -t sysfs sysfs /sys || fail "no /sys"
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup || fail "no cgroup2"
mount -t devtmpfs devtmpfs /dev || fail "no /dev"
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts || fail "no devpts"
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || fail "no /dev/shm"
mount -t mqueue mqueue /dev/mqueue || fail "no /dev/mqueue"
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd

# The checkout and the cache may lie below /tmp or /run: hold them while tmpfs covers these.
mount -t tmpfs -o mode=755 tmpfs /mnt || fail "no tmpfs"
for folder in "$run" "$project" "$cache"; do
  mkdir -p "/mnt/hold$folder"
done
mount --rbind "$cache" "/mnt/hold$cache" || fail "cannot hold $cache"
mount --bind "$project" "/mnt/hold$project" || fail "cannot hold $project"
mount --bind "$run" "/mnt/hold$run" || fail "cannot hold $run"
for folder in /run /tmp /var/tmp /var/log; do
  mount -t tmpfs -o mode=1777 tmpfs "$folder" || fail "no tmpfs on $folder"
done
chmod 755 /run /var/log
mkdir -p /run/lock
for folder in "$cache" "$project" "$run"; do
  [ -e "$folder" ] || { mkdir -p "$folder" && mount --bind "/mnt/hold$folder" "$folder"; } ||
    fail "cannot put $folder back"
done

# Modules come from the cache, not from /lib/modules; so do those that the kernel asks for itself.
printf '#!/bin/sh\nexec /sbin/modprobe -d "%s" "$@"\n' "$kernel" > /run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/sbin/modprobe -d "$kernel" -a virtio_blk ext4 overlay loop veth bridge tun || fail "cannot load modules"

# The scratch disk: a real block device (io.max) with a file system that carries overlays' uppers.
mkdir -p /run/scratch
mount -t ext4 /dev/vda /run/scratch || fail "no scratch disk"
mkdir -p /run/scratch/tsrun /run/scratch/upper /run/scratch/work
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/scratch/upper,workdir=/run/scratch/work \
  overlay /var/lib || fail "no overlay on /var/lib"
mkdir -p /var/lib/tsrun
mount --bind /run/scratch/tsrun /var/lib/tsrun || fail "no /var/lib/tsrun"
ip link set lo up || fail "no loopback"
hostname tsrun-vm
mkdir -p /run/home
touch "$run/booted"

setsid sh "$run/command.sh" < /dev/null >> "$run/stdout" 2>> "$run/stderr" &
wait $!
echo $? > "$run/status.tmp"
mv "$run/status.tmp" "$run/status"
sync
echo o > /proc/sysrq-trigger
sleep 60
