#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Turns a writable view of this machine's files into those of a test machine of its own: no units, no mounts, no
# identity of the machine's. For the throwaway host and for the emulated machine of the vm tier.
#
# usage: configure_root.sh ROOT HOST_NAME
# The caller has mounted a file system of its own on ROOT/run, and says with the file `throwaway` there that ROOT may be
# changed: without it this would empty the machine's own configuration.
set -euo pipefail

readonly root=${1%/} name=$2
readonly target=throwaway.target

# Units of the machine that would touch hardware, kernel-wide settings or the network, or only cost time.
readonly masked=(
  systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
  systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service
  systemd-udev-settle.service systemd-hwdb-update.service kmod-static-nodes.service
  systemd-random-seed.service systemd-boot-system-token.service systemd-machine-id-commit.service
  systemd-repart.service systemd-pstore.service systemd-pcrphase.service systemd-pcrphase-sysinit.service
  systemd-firstboot.service systemd-remount-fs.service systemd-update-utmp.service systemd-update-done.service
  systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service
  systemd-journal-catalog-update.service systemd-journald-audit.socket systemd-initctl.socket
  systemd-ask-password-console.path systemd-ask-password-wall.path systemd-tmpfiles-clean.timer
  dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
  sys-fs-fuse-connections.mount getty.target ldconfig.service
)

[[ -e $root/run/throwaway ]] || { echo "configure_root.sh: $root/ is not a throwaway view" >&2; exit 1; }
find "$root/etc/systemd/system" -mindepth 1 -maxdepth 1 ! -name dbus.service -exec rm -rf {} +
rm -rf "$root/etc/allocd" "$root/var/lib/allocd" "$root/etc/ld.so.preload"
: >"$root/etc/fstab"
: >"$root/etc/crypttab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
echo "$name" >"$root/etc/hostname"
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/run/systemd/system"
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n' \
  >"$root/etc/systemd/journald.conf.d/throwaway.conf"
for unit in "${masked[@]}"; do
  ln -s /dev/null "$root/run/systemd/system/$unit"
done
cat >"$root/run/systemd/system/$target" <<'UNIT'
[Unit]
Description=Throwaway host
Requires=basic.target dbus.service systemd-journald.service
After=basic.target dbus.service systemd-journald.service
AllowIsolate=yes
UNIT
