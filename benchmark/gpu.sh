#!/usr/bin/env bash
# What only an NVIDIA GPU can show, as one command: the tests of test/gpu, the kernels under compute-sanitizer, and what
# frames cost. Needs PyTorch for CUDA and CuPy, and no network. From the root of the checkout:
#
#     benchmark/gpu.sh OUT [SECONDS]
#
# OUT gets a log of every step, JUnit's XML of the tests, and JSON with each row of the benchmark as soon as it is
# measured. A step that would not end within SECONDS (3600) is ended or left out, and OUT/summary.txt says so. The most
# valuable steps come first: with 600 a large card should get through the table of PyTorch in float16 (not tried).
set -u
out=$(mkdir -p "${1:?usage: benchmark/gpu.sh OUT [SECONDS]}" && cd "$1" && pwd)
end=$((SECONDS + ${2:-3600}))
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
: > "$out/summary.txt"

# step NAME LIMIT COMMAND...: at most LIMIT seconds; says what became of it.
step() {
    local name=$1 limit=$2 left=$((end - SECONDS)) began=$SECONDS code
    shift 2
    ((left < limit)) && limit=$left
    if ((limit < 10)); then
        echo "$name: left out, no time" | tee -a "$out/summary.txt"
        return 1
    fi
    echo "== $name (at most $limit s): $*"
    timeout --signal=INT --kill-after=10 "$limit" "$@" 2>&1 | tee "$out/$name.txt" | tail -n 40
    code=${PIPESTATUS[0]}
    echo "$name: exit status $code$([ "$code" = 124 ] && echo ' (ended: no time)') after $((SECONDS - began)) s" |
        tee -a "$out/summary.txt"
    return "$code"
}

# frames NAME LIMIT FLAGS...: rows of `benchmark backend` into OUT/NAME.json.
frames() {
    local name=$1 limit=$2
    shift 2
    step "$name" "$limit" "$python" -m openpose_ros benchmark backend --json "$out/$name.json" "$@"
}

both=(--models lightweight cmu)
step machine 60 nvidia-smi
step doctor 90 "$python" -m openpose_ros doctor
step tests 240 "$python" -m pytest -q -rs -m 'not long' -p no:cacheprovider --junitxml "$out/tests.xml" test/gpu
frames aims 90 "${both[@]}" --backend torch --precision float16 --sizes 368x656 --people 20 100
frames torch-float16 300 "${both[@]}" --backend torch --precision float16
if command -v compute-sanitizer > /dev/null; then
    # PyTorch must not cut its own pieces out of larger ones, or a step beyond one is not seen.
    for tool in memcheck racecheck; do
        PYTORCH_NO_CUDA_MEMORY_CACHING=1 step "$tool" 150 compute-sanitizer --tool "$tool" --error-exitcode 9 \
            "$python" -m pytest -q -p no:cacheprovider -m 'not long' test/gpu/test_kernels.py test/gpu/test_frames.py \
            -k 'torch and small or host_makes or their_middle'
    done
else
    echo 'sanitizer: left out, compute-sanitizer (of the CUDA toolkit) is not there' | tee -a "$out/summary.txt"
fi
frames torch-float32 300 "${both[@]}" --backend torch --precision float32
frames compiled 600 "${both[@]}" --backend torch_compile --precision float16 --sizes 368x656
frames tensorrt 1200 "${both[@]}" --backend tensorrt --precision float16
step tests-long 300 "$python" -m pytest -q -rs -m long -p no:cacheprovider --junitxml "$out/tests-long.xml" test/gpu
cat "$out/summary.txt"
! grep -qE '^(tests|memcheck|racecheck)[a-z-]*: exit status [1-9]' "$out/summary.txt"
