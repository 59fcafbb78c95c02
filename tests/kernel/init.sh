#!/bin/bash
# PID 1 of the kernel lab (run.ts boots it). The root it starts on is the host's own root file system, mounted
# read-only; everything below happens on a copy-on-write layer in memory, so nothing in here can litter the host.
# LAB_JOB, a directory of the host, is the one place both sides write to; it arrives on the kernel's command line.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb
release=$(uname -r)
modules=/usr/lib/uml/modules/$release

# Before the job directory is there, the console is the only place to complain to; run.ts shows it.
give_up() {
  echo "lab: $1"
  [ -d /lab ] && { echo "lab: $1" >>/lab/output; finish 125; }
  power_off
}

# The code is put in place by a rename: run.ts never reads half of it.
finish() {
  echo "$1" >/lab/exit.part
  mv /lab/exit.part /lab/exit
  power_off
}

power_off() {
  echo o >/proc/sysrq-trigger
  while :; do sleep 1; done
}

enter_layer() {
  mount -t proc proc /proc &&
    insmod "$modules/kernel/fs/overlayfs/overlay.ko" &&
    mount -t tmpfs layer /tmp &&
    mkdir /tmp/upper /tmp/work /tmp/root &&
    mount -t overlay root -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work /tmp/root &&
    mkdir -p /tmp/root/lab /tmp/root/lab-old &&
    mount -t hostfs job -o "$LAB_JOB" /tmp/root/lab &&
    mount -n --move /dev /tmp/root/dev &&
    mount -n --move /proc /tmp/root/proc &&
    cd /tmp/root &&
    pivot_root . lab-old &&
    umount -l /lab-old &&
    rmdir /lab-old
}

# What programs expect of a running system, none of it the host's. /tmp stays on the layer: the tree may be in it.
furnish() {
  mount -t sysfs sysfs /sys
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  mount -t tmpfs shm /dev/shm
  chmod 1777 /dev/shm
  mount -t tmpfs run /run
  mkdir -p /run/netns /run/lock
  echo kernel-lab >/proc/sys/kernel/hostname
  mkdir -p /lib/modules
  [ -e "/lib/modules/$release" ] || ln -s "$modules" "/lib/modules/$release"
}

load_modules() {
  local module reason
  while read -r module; do
    reason=$(modprobe "$module" 2>&1) || give_up "cannot load module $module: $reason"
  done </lab/modules
}

enter_layer || give_up "cannot enter the copy-on-write layer"
furnish
load_modules
ip link set lo up
(
  set -a
  . /lab/environment
  set +a
  cd "$(</lab/cwd)" && exec /bin/bash /lab/command
) >>/lab/output 2>&1 </dev/null
finish $?
