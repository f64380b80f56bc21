#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# First process of a throwaway host: turns fresh namespaces into a machine of its own, then becomes systemd.
#
# Runs as pid 1 of new mount, pid, uts, ipc and net namespaces (see throwaway_host.py). The root is an
# overlay of the machine's own / whose upper layer is a tmpfs in this mount namespace: nothing written here
# reaches the machine, and all of it is gone with the last process.
#
# It runs itself twice: the cgroup namespace must be entered from inside the cgroup that becomes its root.
#
# usage: throwaway_init.sh EMPTY_DIRECTORY CGROUP_NAME HOST_NAME
set -euo pipefail

readonly base=$1 cgroup=$2 name=$3
readonly root=$base/root
readonly target=throwaway.target

enter_cgroup_namespace() {
  mkdir "$base/cgroup"
  mount -t cgroup2 none "$base/cgroup"
  mkdir -p "$base/cgroup/$cgroup"
  echo $$ >"$base/cgroup/$cgroup/cgroup.procs"
  umount "$base/cgroup"
  rmdir "$base/cgroup"
}

make_root() {
  mount -t tmpfs -o mode=755 throwaway "$base"
  mkdir "$base/upper" "$base/work" "$root"
  mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" throwaway "$root"
}

make_devices() {
  mount -t tmpfs -o mode=755,nosuid throwaway "$root/dev"
  local device
  for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
    IFS=: read -r node major minor <<<"$device"
    mknod -m 666 "$root/dev/$node" c "$major" "$minor"
  done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777,nosuid,nodev throwaway "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"
  ln -s fd/1 "$root/dev/stdout"
  ln -s fd/2 "$root/dev/stderr"
}

make_kernel_file_systems() {
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$root/sys"
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
  # Kernel-wide settings are the machine's: systemd would raise fs.file-max, for one.
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,bind,ro "$root/proc/sys"
  local directory
  for directory in run tmp var/tmp; do
    mount -t tmpfs -o nosuid,nodev throwaway "$root/$directory"
  done
  chmod 755 "$root/run"
  chmod 1777 "$root/tmp" "$root/var/tmp"
  if [[ -d $root/var/log/journal ]]; then
    mount -t tmpfs -o mode=755 throwaway "$root/var/log/journal"
  fi
}

become_systemd() {
  local systemd=/lib/systemd/systemd
  cd "$root"
  mkdir -p run/old-root
  pivot_root . run/old-root
  umount -l /run/old-root
  rmdir /run/old-root
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 container=throwaway "$systemd" --system "--unit=$target" --log-target=journal
}

if [[ ${4-} != in-cgroup ]]; then
  enter_cgroup_namespace
  exec unshare --cgroup -- bash "$0" "$base" "$cgroup" "$name" in-cgroup
fi
make_root
make_devices
make_kernel_file_systems
: >"$root/run/throwaway"
bash "$(dirname "$0")/configure_root.sh" "$root" "$name"
become_systemd
