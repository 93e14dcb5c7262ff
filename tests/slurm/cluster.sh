#!/usr/bin/env bash
# cluster.sh COMMAND…: brings up a Slurm of two nodes on this machine and runs the command beside its controller, where
# sbatch, srun and scontrol find it. Exit code: the command's; 77 with a line that says why where it cannot be done.
#
# Everything lives in namespaces of its own, and goes with them: the network with a bridge, a network for each node
# (node-a, node-b), host names, /etc/hosts, and all processes. A node has 4 CPUs for Slurm, however many there are.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

skip() { echo "SKIPPED: the two-node Slurm was not brought up: $*"; exit 77; }

if [ "${LONGHAUL_CLUSTER_STAGE:-}" = "" ]; then
  [ "$(id -u)" -eq 0 ] || skip "it takes root"
  for program in slurmctld slurmd srun munged ip unshare nsenter; do
    PATH=$PATH:/usr/sbin:/sbin type -P "$program" >/dev/null || skip "$program is missing (scripts/setup --test installs it)"
  done
  unshare --net --uts --mount --pid --fork --mount-proc true 2>/dev/null || skip "this machine lets root make no namespaces"
  work=$(mktemp -d "${TMPDIR:-/tmp}/longhaul-slurm.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  status=0
  PATH=$PATH:/usr/sbin:/sbin LONGHAUL_CLUSTER_STAGE=$work \
    unshare --net --uts --mount --pid --fork --kill-child --mount-proc "$here/cluster.sh" "$@" || status=$?
  exit "$status"
fi

work=$LONGHAUL_CLUSTER_STAGE
unset LONGHAUL_CLUSTER_STAGE
nodes=(node-a node-b)
export SLURM_CONF=$work/slurm.conf

make_network() {
  hostname controller
  mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs none /run/netns; }
  ip link set lo up
  ip link add cluster type bridge
  ip addr add 10.77.0.1/24 dev cluster
  ip link set cluster up
  printf '127.0.0.1 localhost\n10.77.0.1 controller\n' >"$work/hosts"
  local i=1
  for node in "${nodes[@]}"; do
    i=$((i + 1))
    ip netns add "$node"
    ip link add "wire$i" type veth peer name eth0 netns "$node"
    ip link set "wire$i" master cluster up
    ip -n "$node" link set lo up
    ip -n "$node" addr add "10.77.0.$i/24" dev eth0
    ip -n "$node" link set eth0 up
    echo "10.77.0.$i $node" >>"$work/hosts"
  done
  mount --bind "$work/hosts" /etc/hosts
}

write_configuration() {
  mkdir -p "$work/state" "$work/log"
  cat >"$SLURM_CONF" <<END
ClusterName=longhaul-test
SlurmctldHost=controller(10.77.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
MpiDefault=pmix
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
TmpFS=$work/tmp-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/log/slurmctld.log
SlurmdLogFile=$work/log/slurmd-%n.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=3
MinJobAge=300
NodeName=node-a,node-b CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

start_daemons() {
  mkdir -m 755 "$work/munge"
  dd if=/dev/urandom of="$work/munge/key" bs=128 count=1 status=none
  chmod 600 "$work/munge/key"
  munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$work/log/munged.log" >"$work/log/munged.out" 2>&1 &
  for _ in $(seq 100); do [ -S "$work/munge/socket" ] && break; sleep 0.1; done
  slurmctld -D -i >"$work/log/slurmctld.out" 2>&1 &
  for node in "${nodes[@]}"; do
    mkdir -p "$work/spool-$node" "$work/tmp-$node"
    # nsenter and unshare rather than `ip netns exec`, which would remount /sys under slurmd's feet. A node has its own
    # shared memory, as Open MPI would otherwise take the ranks of both nodes for neighbours.
    nsenter --net="/run/netns/$node" unshare --uts --mount bash -c \
      "hostname $node; mount -t tmpfs none /dev/shm; exec slurmd -D" >"$work/log/slurmd-$node.out" 2>&1 &
  done
  for _ in $(seq 150); do
    [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && return
    sleep 0.2
  done
  echo "FAILED: the nodes do not come up"
  sinfo -N -l || true
  tail -n 15 "$work"/log/*
  exit 1
}

make_network
write_configuration
start_daemons
export LONGHAUL_CLUSTER_FOLDER=$work
status=0
"$@" || status=$?
[ "$status" -eq 0 ] || tail -n 15 "$work"/log/slurm*.log
exit "$status"
