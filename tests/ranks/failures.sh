#!/usr/bin/env bash
# failures.sh COMM_CONFORMANCE: a rank that throws, is killed, hangs or is stopped brings all down soon, under mpirun and over
# TCP, and the output says why.
set -uo pipefail
program=$1
here=$(cd "$(dirname "$0")" && pwd)
failed=0

# expect WHAT PATTERN COMMAND…: the command fails within 30 s, and its output has the pattern.
expect() {
  local what=$1 pattern=$2 output code
  shift 2
  output=$(timeout 30 "$@" 2>&1)
  code=$?
  if [ $code -ne 0 ] && [ $code -ne 124 ] && grep -q "$pattern" <<<"$output"; then
    echo "ok: $what"
  else
    printf 'FAILED: %s: exit code %s, no "%s" in:\n%s\n' "$what" "$code" "$pattern" "$output"
    failed=1
  fi
}

expect "mpirun: a rank that throws" "rank 1 failed: this rank was told to fail" "$here/mpirun.sh" "$program" 3 --fail-rank 1
expect "mpirun: a rank that does not come" "in vain for rank 2" "$here/mpirun.sh" "$program" 3 --hang-rank 2
expect "mpirun: a rank that is stopped" "in vain for rank 2" "$here/mpirun.sh" "$program" 3 --stop-rank 2
expect "mpirun: what the others wait for meanwhile" "half of the time-out.*is over:" "$here/mpirun.sh" "$program" 3 --hang-rank 2
expect "mpirun: a rank that is killed" "signal 9" "$here/mpirun.sh" "$program" 3 --kill-rank 1
expect "tcp: a rank that throws" "error: rank 1 failed: this rank was told to fail" "$here/tcp.sh" "$program" 3 --fail-rank 1
expect "tcp: a rank that is killed" "rank 1 is gone" "$here/tcp.sh" "$program" 3 --kill-rank 1
# Nobody kills a rank that hangs; it ends itself, with the cause that the others had.
expect "tcp: a rank that does not come" "^error: rank [01] failed: world: [^:]*in vain for rank 2. This rank was busy elsewhere for 10 s" \
  "$here/tcp.sh" "$program" 3 --hang-rank 2
expect "tcp: a rank that is missing" "rank 2 of 3 had not come.*There were: rank 0 on .*, rank 1 on " \
  env ABSENT=2 "$here/tcp.sh" "$program" 3 --join-timeout 1000
expect "tcp: rank 0 is missing" "found no rank 0 at 127.0.0.1:" env ABSENT=0 "$here/tcp.sh" "$program" 2 --join-timeout 1000

# A stopped process can do nothing. The others leave, and it follows when it goes on.
stopped_over_tcp() {
  local what="tcp: a rank that is stopped" output pid
  output=$(mktemp)
  "$here/tcp.sh" "$program" 3 --stop-rank 2 >"$output" 2>&1 &
  pid=$!
  for ((tenths = 0; tenths < 150; ++tenths)); do
    [ "$(pgrep -c -P $pid)" = 1 ] && grep -q "rank 0.*in vain for rank 2" "$output" && break
    sleep 0.1
  done
  if [ "$(ps -o state= --ppid $pid)" = T ]; then
    kill -CONT $(pgrep -P $pid)
    if timeout 20 tail --pid=$pid -f /dev/null && ! wait $pid; then
      echo "ok: $what"
      rm -f "$output"
      return
    fi
  fi
  printf 'FAILED: %s:\n%s\n' "$what" "$(cat "$output"; ps -o pid,state,args --ppid $pid)"
  kill -KILL $(pgrep -P $pid)
  failed=1
}
stopped_over_tcp
exit $failed
