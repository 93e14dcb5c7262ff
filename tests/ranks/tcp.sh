#!/usr/bin/env bash
# tcp.sh PROGRAM RANKS [ARGUMENTS…]: runs a test program as ranks that find each other over TCP, as any launcher would
# start them. Without rank ABSENT, where that is set.
set -uo pipefail
program=$1 ranks=$2
shift 2
unset OMPI_COMM_WORLD_SIZE PMIX_RANK PMIX_NAMESPACE
export WORLD_SIZE=$ranks MASTER_ADDR=127.0.0.1 MASTER_PORT
MASTER_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
children=()
for ((rank = 0; rank < ranks; ++rank)); do
  [ "$rank" = "${ABSENT:-}" ] && continue
  RANK=$rank "$program" "$@" &
  children+=($!)
done
code=0
for child in "${children[@]}"; do
  wait "$child" || code=$?
done
exit $code
