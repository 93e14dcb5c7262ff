#!/usr/bin/env bash
# stand_in_trainer.sh pretrain FOLDER STEPS: counts steps as `llm-pretrain pretrain` trains them, for tests of the job
# script: each rank goes on where its file in FOLDER ends, and after SIGTERM it saves and leaves in order.
set -uo pipefail
folder=$2 steps=$3
file=$folder/rank_$SLURM_PROCID
stop=0
trap 'stop=1' TERM
step=$(tail -n 1 "$file" 2>/dev/null | cut -d' ' -f1)
step=${step:-0}
while [ "$step" -lt "$steps" ] && [ "$stop" = 0 ]; do
  step=$((step + 1))
  echo "$step job $SLURM_JOB_ID start ${SLURM_RESTART_COUNT:-0} on $SLURMD_NODENAME" >>"$file"
  sleep 0.2 &
  wait $!
done
echo "rank $SLURM_PROCID leaves after step $step"
