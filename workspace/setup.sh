#!/usr/bin/env bash
# make setup: finds a Python that will do, or says in one sentence why there is none, and hands over to install.py.
# PYTHON: the one to take (default: whatever suits). TORCH_INDEX: package index for PyTorch (default: chosen).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. workspace/sourced_ros.sh

ros=$(sourced_ros)
if [ -n "$ros" ]; then
    candidates=(python3 /usr/bin/python3)
    wanted="Python 3.10 or later that imports the rclpy of $ros"
else
    # What .venv was made from comes first: a PYTHON given once stays.
    candidates=(.venv/bin/python python3 python3.12 python3.11 python3.13 python3.10)
    wanted="CPython 3.10 to 3.13"
fi
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")

# Prints the interpreter that the virtual environment shall rest on, or fails: never another virtual environment's, which
# may be our own .venv, and always under the same name, since .venv is made anew when that changes. Any Python since 2.7
# can run it.
suits='
import os, sys, sysconfig
if sys.version_info < (3, 10) or sys.implementation.name != "cpython":
    sys.exit(1)
if sys.argv[1]:
    import importlib.util
    rclpy = importlib.util.find_spec("rclpy")
    compiled = "_rclpy_pybind11" + sysconfig.get_config_var("EXT_SUFFIX")
    if rclpy is None or not os.path.isfile(os.path.join(os.path.dirname(rclpy.origin), compiled)):
        sys.exit(1)
elif sys.version_info >= (3, 14) or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
print(os.path.realpath(sys._base_executable))
'
for candidate in "${candidates[@]}"; do
    if python=$("$candidate" -c "$suits" "$ros" 2> /dev/null); then
        exec "$python" -m workspace.install --ros "$ros" --torch-index "${TORCH_INDEX:-}"
    fi
done

if [ -n "${PYTHON:-}" ]; then
    read -r answer < <("$PYTHON" --version 2>&1) || answer="no version"
    echo "make setup needs $wanted, and PYTHON=$PYTHON answers \"${answer#*line*: }\": give another." >&2
elif [ -n "$ros" ]; then
    echo "make setup needs $wanted, and found none (tried ${candidates[*]}): name it with make PYTHON=..." >&2
else
    echo "make setup needs $wanted, and found none (tried ${candidates[*]:1}): install one (sudo apt-get install" \
        "python3 python3-dev python3-venv) or name it with make PYTHON=..." >&2
fi
exit 1
