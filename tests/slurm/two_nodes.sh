#!/usr/bin/env bash
# two_nodes.sh COMM_CONFORMANCE LLM_PRETRAIN: what Longhaul does under Slurm, on the cluster that cluster.sh brings up:
#   cluster.sh two_nodes.sh build/bin/comm_conformance build/bin/llm-pretrain
set -uo pipefail
program=$(realpath "$1")
trainer=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$LONGHAUL_CLUSTER_FOLDER
export OMPI_MCA_mpi_yield_when_idle=1
export SLURM_PMIX_FENCE=tree  # docs/launching.md says why
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

told() {  # told MPI OPTION WHAT PATTERN: the job ends soon, and says why
  local output start=$SECONDS
  output=$(ranks --mpi="$1" "$program" "$2" 3)
  local code=$?
  report "$3, --mpi=$1" "$((code != 0 && code != 124 && SECONDS - start < 30 && $(grep -c "$4" <<<"$output") > 0))" "exit code $code: $output"
}

# A job script that calls the program itself: one rank would train where four were asked for.
forgotten_srun() {
  local output code=0
  output=$(timeout 100 sbatch --wait --output="$work/forgotten.log" --nodes=2 --ntasks-per-node=2 --wrap \
    "'$trainer' pretrain llama_tiny data.mock=true trainer.device=cpu trainer.run_dir='$work/forgotten'" 2>&1) || code=$?
  output+=$(cat "$work/forgotten.log" 2>&1)
  report "a job script that forgets srun is told so" "$((code == 2 && $(grep -c 'has 4 tasks.*put `srun --cpus-per-task=CORES` before' <<<"$output") == 1))" \
    "exit code $code: $output"
}

# A job of two nodes whose script starts ranks on its own.
local_ranks() {
  local output
  output=$(timeout 100 sbatch --wait --output="$work/local.log" --nodes=2 --ntasks-per-node=2 --wrap \
    "'$(dirname "$program")/launch_tool' 3 - '$program'" 2>&1; cat "$work/local.log" 2>&1)
  report "launch local stays on its machine" "$(grep -c '^conformance over mpi: 3 ranks on 1 node' <<<"$output")" "$output"
}

# Slurm's time limits are whole minutes, so the signal that announces one is sent by hand.
requeue() {
  local steps=120 folder=$work/run whole=$work/whole job output
  local recipe=(llama_tiny data.mock=true trainer.device=cpu trainer.precision=fp32 trainer.max_steps=$steps batch.micro=1
    parallel.tensor=2 parallel.sharding=optimizer checkpoint.every=0)
  output=$(cd "$work" && LLM_PRETRAIN=$trainer sbatch --parsable --nodes=2 --ntasks-per-node=2 --gpus-per-node=0 \
    --cpus-per-task=1 --time=10 "$here/../../scripts/slurm/pretrain.sbatch" "${recipe[@]}" trainer.run_dir="$folder" 2>&1)
  job=$output
  lines() { wc -l 2>/dev/null <"$folder/metrics.jsonl" || echo 0; }
  for _ in $(seq 300); do [ "$(lines)" -ge 10 ] && break; sleep 0.1; done
  output+=$(scancel --batch --signal=USR1 "$job" 2>&1)
  for _ in $(seq 100); do [ "$(squeue -h -j "$job" -o %T)" != RUNNING ] && break; sleep 0.2; done
  local first; first=$(lines)
  # Slurm holds a requeued job back for two minutes, so that its nodes forget the first start. Some seconds do here.
  scontrol update JobId="$job" StartTime=now+4
  for _ in $(seq 400); do [ -d "$folder/checkpoints/step_00000$steps" ] && break; sleep 0.2; done
  # The same run without an interruption, on four ranks of this machine.
  "$trainer" launch local --ranks 4 --threads-per-rank 1 -- pretrain "${recipe[@]}" trainer.run_dir="$whole" >"$work/whole.log" 2>&1
  local good=1
  [ "$first" -ge 10 ] && [ "$first" -lt "$steps" ] || good=0  # it was in the middle
  numbers() { cut -d, -f1-4 "$1/metrics.jsonl"; }  # step, tokens, loss, norm of the gradient
  [ "$(numbers "$folder")" = "$(numbers "$whole")" ] || good=0
  local file
  for file in "$whole/checkpoints/step_00000$steps"/*.safetensors; do
    cmp -s "$file" "$folder/checkpoints/step_00000$steps/$(basename "$file")" || good=0
  done
  report "near the time limit the job saves, queues again, and ends with the bits of a run without interruption" "$good" \
    "$output; after $first steps; $(scontrol show job "$job" 2>&1); $(tail -n 20 "$work"/pretrain-*.log "$work/whole.log")"
}

collectives pmix mpi
collectives none tcp
killed_rank pmix
killed_rank none
for mpi in pmix none; do
  told $mpi --fail-rank "a rank that throws ends the others" "rank 3 failed: this rank was told to fail"
  told $mpi --hang-rank "a rank that hangs is ended with the others" "in vain for rank 3"
  told $mpi --stop-rank "a rank that is stopped is ended with the others" "in vain for rank 3"
done
forgotten_srun
local_ranks
requeue
exit $failed
