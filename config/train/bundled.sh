#!/usr/bin/env bash
# Trains the bundled network for so many minutes, from where it stood, offline; then leaves weights and card to take along.
#
#   PHOTOS=folder config/train/bundled.sh RUNS OUT MINUTES [settings of train ...]
#
# PHOTOS: see bundled.yaml. RUNS keeps the run; the same command goes on with it. OUT gets metrics.jsonl, the weights
# (8 MB) and card of the latest state, and that state itself in pieces of at most 16 MB (OUT/state). Where RUNS is empty,
# as on another machine, the same command goes on from the pieces.
# With a GPU, -c config/train/gpu.yaml belongs to the settings.
set -euo pipefail
[[ $# -ge 3 && -d ${PHOTOS:-} ]] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
runs=$1 out=$2 minutes=$3
shift 3
here=$(dirname "$(realpath "$0")")
export PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}"
checkpoints=$runs/lightweight/checkpoints

if [[ ! -d $checkpoints && -d $out/state ]]; then
    mkdir -p "$checkpoints"
    first=("$out"/state/*.part00)
    name=$(basename "${first[0]}" .part00)
    cat "$out/state/$name".part* > "$checkpoints/$name.joining"
    mv "$checkpoints/$name.joining" "$checkpoints/$name"
fi

ended=0
timeout --signal TERM "${minutes}m" python3 -m openpose_ros train -c "$here/bundled.yaml" name=lightweight "runs=$runs" "$@" \
    || ended=$?
# 124: time is up and the state was saved; 143: somebody else said so.
[[ $ended == 0 || $ended == 124 || $ended == 143 ]] || exit "$ended"
newest=$(ls -t "$checkpoints"/*.ckpt | head -1)
python3 -m openpose_ros train -c "$runs/lightweight/config.yaml" "runs=$runs" --export "$newest"
mkdir -p "$out"
cp "$runs"/lightweight/metrics.jsonl "$runs"/lightweight/model/* "$out"

# Another name until it is complete: a power cut leaves the pieces of before.
rm -rf "$out/state.new" && mkdir "$out/state.new"
split --bytes=16000000 --numeric-suffixes --suffix-length=2 "$newest" "$out/state.new/$(basename "$newest").part"
rm -rf "$out/state" && mv "$out/state.new" "$out/state"
