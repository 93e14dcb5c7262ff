#!/usr/bin/env bash
# two_nodes.sh COMM_CONFORMANCE: what Longhaul does under Slurm, on the cluster that cluster.sh brings up:
#   cluster.sh two_nodes.sh build/bin/comm_conformance
set -uo pipefail
program=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$LONGHAUL_CLUSTER_FOLDER
export OMPI_MCA_mpi_yield_when_idle=1
failed=0

report() {  # report WHAT GOOD DETAILS
  if [ "$2" = 1 ]; then echo "ok: $1"; else printf 'FAILED: %s:\n%s\n' "$1" "$3"; failed=1; fi
}
ranks() { timeout 100 srun --nodes=2 --ntasks-per-node=2 --kill-on-bad-exit=1 "$@" 2>&1; }

collectives() {  # collectives MPI TRANSPORT
  local output
  output=$(ranks --mpi="$1" "$program")
  report "4 ranks on two nodes exchange data, --mpi=$1" "$(grep -c "^conformance over $2: 4 ranks on 2 nodes" <<<"$output")" "$output"
}

killed_rank() {  # killed_rank MPI
  local output start=$SECONDS
  output=$(ranks --mpi="$1" "$program" --kill-rank 3)
  local code=$?
  report "a rank that is killed ends the others, --mpi=$1" "$((code != 0 && code != 124 && SECONDS - start < 30))" "exit code $code: $output"
}

# Slurm's time limits are whole minutes, so the signal that announces one is sent by hand.
requeue() {
  local folder=$work/run job output
  mkdir "$folder"
  output=$(cd "$work" && LLM_PRETRAIN=$here/stand_in_trainer.sh sbatch --parsable --nodes=2 --ntasks-per-node=2 --gpus-per-node=0 \
    --cpus-per-task=1 --time=10 "$here/../../scripts/slurm/pretrain.sbatch" "$folder" 30 2>&1)
  job=$output
  for _ in $(seq 100); do [ -s "$folder/rank_3" ] && break; sleep 0.2; done
  sleep 1
  output+=$(scancel --batch --signal=USR1 "$job" 2>&1)
  for _ in $(seq 50); do [ "$(squeue -h -j "$job" -o %T)" != RUNNING ] && break; sleep 0.2; done
  # Slurm holds a requeued job back for two minutes, so that its nodes forget the first start. Some seconds do here.
  scontrol update JobId="$job" StartTime=now+4
  local good=0
  for _ in $(seq 300); do
    [ "$(cat "$folder"/rank_? 2>/dev/null | grep -c '^30 .* start 1')" = 4 ] && { good=1; break; }
    sleep 0.2
  done
  for r in 0 1 2 3; do
    [ "$(cut -d' ' -f1 "$folder/rank_$r" | tr '\n' ' ')" = "$(seq -s' ' 30) " ] || good=0
    grep -q ' start 0 ' "$folder/rank_$r" || good=0
  done
  report "near the time limit the job saves, queues again and goes on where it was" "$good" \
    "$output; $(scontrol show job "$job" 2>&1); $(tail -n 20 "$work"/pretrain-*.log); $(tail -n 2 "$folder"/rank_?)"
}

collectives pmix mpi
collectives none tcp
killed_rank pmix
killed_rank none
requeue
exit $failed
