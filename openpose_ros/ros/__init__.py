"""The ROS 2 nodes. Nothing outside this folder imports rclpy or messages."""
