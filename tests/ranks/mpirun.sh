#!/usr/bin/env bash
# mpirun.sh PROGRAM RANKS [ARGUMENTS…]: runs a test program under mpirun, also as root and with more ranks than cores.
set -euo pipefail
program=$1 ranks=$2
shift 2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
exec mpirun --oversubscribe --bind-to none -n "$ranks" "$program" "$@"
