# sourced_ros: prints the prefix of the ROS 2 that is sourced in this shell, or nothing.
# What counts is a prefix that holds rclpy and is no virtual environment: sourcing the env.sh of this or of another
# checkout does not make a ROS.
sourced_ros() {
    local prefix prefixes
    [ -n "${ROS_DISTRO:-}" ] || return 0
    IFS=: read -r -a prefixes <<< "${AMENT_PREFIX_PATH:-}"
    for prefix in "${prefixes[@]}"; do
        if [ -d "$prefix/share/rclpy" ] && [ ! -f "$prefix/pyvenv.cfg" ]; then
            printf '%s\n' "$prefix"
            return 0
        fi
    done
}
