"""Training: photos and labels in, a weight file and its card out. Nothing that runs on a robot imports this."""
