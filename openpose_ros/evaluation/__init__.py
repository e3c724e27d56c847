"""Evaluation: how accurate people are, in COCO's terms."""
