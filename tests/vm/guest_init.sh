#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# First process of the emulated machine: this machine's files, read-only, below a tmpfs that takes what is written;
# then systemd, with one unit that runs the command of the results share. If anything fails the kernel panics, which
# ends the machine (panic=-1).
set -eu
busybox=/bin/busybox

# share TAG DIRECTORY OPTIONS
share() {
  "$busybox" mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$3" "$1" "$2"
}

"$busybox" mount -t proc proc /proc
"$busybox" mount -t sysfs sysfs /sys
"$busybox" mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do
  "$busybox" insmod "$module"
done

# Read-only, and nobody writes to it meanwhile: the guest may believe its cache.
share root /lower ro,cache=loose
"$busybox" mount -t tmpfs -o mode=755 cow /cow
"$busybox" mkdir /cow/upper /cow/work
"$busybox" mount -t overlay -o lowerdir=/lower,upperdir=/cow/upper,workdir=/cow/work root /new

"$busybox" mount -t tmpfs -o mode=755,nosuid,nodev run /new/run
"$busybox" mkdir /new/run/vm /new/run/vm/source /new/run/vm/programs /new/run/vm/results /new/run/vm/disk
share source /new/run/vm/source ro,cache=loose
share programs /new/run/vm/programs ro,cache=loose
share results /new/run/vm/results rw,cache=none
"$busybox" mount -t ext4 /dev/vda /new/run/vm/disk

"$busybox" mount -t proc proc /new/proc
# Where this machine is itself a container, systemd would take the emulated one for a container too.
"$busybox" rm -f /new/.dockerenv
: >/new/run/throwaway
"$busybox" chroot /new /bin/bash /run/vm/source/tests/host/configure_root.sh / allocd-vm
for directory in tmp var/tmp; do
  "$busybox" mount -t tmpfs -o mode=1777,nosuid,nodev tmp "/new/$directory"
done
wants=/new/run/systemd/system/throwaway.target.wants
"$busybox" mkdir -p "$wants"
"$busybox" cp /new/run/vm/source/tests/vm/batch.service /new/run/systemd/system/
"$busybox" ln -s ../batch.service "$wants/"
"$busybox" umount /new/proc /proc /sys
exec "$busybox" switch_root -c /dev/console /new /lib/systemd/systemd --log-target=journal
