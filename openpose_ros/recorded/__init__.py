"""Recorded images in, recorded people out: what ``bag_poses`` does.

``run.py`` goes through one bag, ``names.py`` says on which topics its people are, ``processes.py`` takes several bags
side by side.
"""
