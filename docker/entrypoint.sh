#!/usr/bin/env bash
# ROS 2 and the workspace, then the command that was given.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/local_setup.bash
exec "$@"
