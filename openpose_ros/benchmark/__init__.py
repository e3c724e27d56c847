"""Benchmarks: what a frame costs, measured as ratios within one run."""
