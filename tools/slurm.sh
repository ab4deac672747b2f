#!/bin/sh
# A real Slurm on this machine: three nodes with a fake GPU each, loopback only, no database. As root, on Debian:
#   apt-get install slurmctld slurmd slurm-client munge
#   tools/slurm.sh up DIR      # configures it into DIR, starts it, waits until the nodes are idle
#   tools/slurm.sh node DIR N  # starts the slurmd of node N again, after it was killed
#   tools/slurm.sh down DIR    # ends what `up` started
# SLURM_CONF=DIR/slurm.conf makes sbatch and its like talk to it; SLURM_PORT and the three after it are its ports.
set -eu
what=$1 dir=$2 nodes=3 port=${SLURM_PORT:-27817}
export SLURM_CONF="$dir/slurm.conf"

configure() {
    mkdir -p "$dir/state" "$dir/spool" "$dir/log" "$dir/munge"
    chmod 700 "$dir/munge"
    [ -f "$dir/munge/key" ] || { umask 077; head -c 1024 /dev/urandom > "$dir/munge/key"; umask 022; }
    cat > "$dir/slurm.conf" <<END
ClusterName=loopback
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/%n.pid
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=15
InactiveLimit=0
KillWait=5
MinJobAge=60
OverTimeLimit=0
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=1,requeue_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
GresTypes=gpu
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
NodeName=n[1-$nodes] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=2 RealMemory=2000 Gres=gpu:fake:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
END
    echo "NodeName=n[1-$nodes] Name=gpu Type=fake File=/dev/null" > "$dir/gres.conf"
    echo "CgroupAutomount=no" > "$dir/cgroup.conf"
}

up() {
    configure
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/log/munged" --seed-file="$dir/munge/seed"
    slurmctld -f "$SLURM_CONF" -c
    for n in $(seq $nodes); do node "$n"; done
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -p main -t idle -o %N 2>/dev/null | wc -l)" = "$nodes" ] && return 0
        sleep 1
    done
    echo "the nodes did not come up; see $dir/log" >&2
    sinfo >&2 || true
    return 1
}

node() {
    slurmd -f "$SLURM_CONF" -N "n$1"
}

down() {
    scancel --state=PENDING,RUNNING --user=root 2>/dev/null || true
    for pid in "$dir"/n*.pid "$dir/slurmctld.pid" "$dir/munge/pid"; do
        [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null || true
    done
}

case $what in
    up) up ;;
    node) node "$3" ;;
    down) down ;;
    *) echo "usage: tools/slurm.sh up|node|down DIR [N]" >&2; exit 2 ;;
esac
