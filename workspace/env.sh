# The environment to build, test and run in. For bash: source workspace/env.sh
#
# Every make recipe sources it; so may a shell of yours, to use the built nodes. Where a ROS 2 is sourced, that ROS
# stays as it is, and only .venv and install/ are added. Whatever you have set yourself is kept.
_openpose_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$_openpose_root/workspace/sourced_ros.sh"

export VIRTUAL_ENV="$_openpose_root/.venv"
case ":$PATH:" in *":$VIRTUAL_ENV/bin:"*) ;; *) export PATH="$VIRTUAL_ENV/bin:$PATH" ;; esac

if [ -z "$(sourced_ros)" ]; then
    # The wheels carry share/, headers and CMake files: the virtual environment is a ROS prefix.
    export AMENT_PREFIX_PATH="$VIRTUAL_ENV" CMAKE_PREFIX_PATH="$VIRTUAL_ENV"
    export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
fi

# Tests and demo talk within this machine, never to a robot on the network. Humble knows only the older variable,
# later releases warn of it.
if [ "$ROS_DISTRO" = humble ]; then
    export ROS_LOCALHOST_ONLY="${ROS_LOCALHOST_ONLY:-1}"
else
    export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
fi

# Up to Jazzy Fast DDS reads the first of these, from Kilted on the second.
export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_openpose_root/config/fastdds.xml}"
export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$FASTRTPS_DEFAULT_PROFILES_FILE}"

if [ -f "$_openpose_root/install/local_setup.bash" ]; then
    # colcon's scripts read variables that may be unset.
    case $- in *u*) _openpose_strict=1 ;; *) _openpose_strict= ;; esac
    set +u
    . "$_openpose_root/install/local_setup.bash"
    [ -z "$_openpose_strict" ] || set -u
    unset _openpose_strict
fi
unset _openpose_root
unset -f sourced_ros
