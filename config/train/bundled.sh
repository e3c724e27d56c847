#!/usr/bin/env bash
# Trains the bundled network for so many minutes, from where it stood, offline; then leaves weights and card to take along.
#
#   PHOTOS=folder config/train/bundled.sh RUNS OUT MINUTES [settings of train ...]
#
# PHOTOS: see bundled.yaml. RUNS keeps the run; the same command goes on with it. OUT gets metrics.jsonl, and the weights
# (8 MB) and card of the latest state, from which another machine can start: start=OUT/lightweight.yaml.
# With a GPU, -c config/train/gpu.yaml belongs to the settings.
set -euo pipefail
[[ $# -ge 3 && -d ${PHOTOS:-} ]] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
runs=$1 out=$2 minutes=$3
shift 3
here=$(dirname "$(realpath "$0")")
export PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}"

ended=0
timeout --signal TERM "${minutes}m" python3 -m openpose_ros train -c "$here/bundled.yaml" name=lightweight "runs=$runs" "$@" \
    || ended=$?
# 124: time is up and the state was saved; 143: somebody else said so.
[[ $ended == 0 || $ended == 124 || $ended == 143 ]] || exit "$ended"
newest=$(ls -t "$runs"/lightweight/checkpoints/*.ckpt | head -1)
python3 -m openpose_ros train -c "$runs/lightweight/config.yaml" "runs=$runs" --export "$newest"
mkdir -p "$out"
cp "$runs"/lightweight/metrics.jsonl "$runs"/lightweight/model/* "$out"
