"""The parts of ``make demo``: its photos, its network, and the two nodes as processes."""
