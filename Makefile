# make help says what there is. Nothing but Python, a C++ compiler and make is needed (README.md, Install).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build lint format test test-long demo lock clean

# Given on the command line or in the environment, these reach the recipes: PYTHON (workspace/setup.sh), TORCH_INDEX
# (workspace/pytorch.py) and DEMO_INPUT (openpose_ros/commands/demo.py).
RUN := source workspace/env.sh && exec
PYTEST := $(RUN) env ROS_PYTHON_CHECK_FIELDS=1 python -m pytest
# A process for each core, no more than four, since each holds a network or two; the tests of a file stay together.
# Where nodes wait for each other, a busy machine may exhaust all patience: that, and no other failure, is tried again.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --reruns 1 --only-rerun 'waited in vain'

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1|/' | column -t -s '|'
	@echo 'Variables: PYTHON=python3.12, DEMO_INPUT=photo|folder|video|webcam index|synthetic, TORCH_INDEX=URL'

setup:  ## .venv with ROS 2 (unless one is sourced), PyTorch and the tools
	@workspace/setup.sh

build: setup  ## openpose_msgs and openpose_ros into install/, with colcon
	@$(RUN) python -m workspace.build

lint: setup  ## style, types and import rules
	@source workspace/env.sh && ruff check && ruff format --check && mypy && lint-imports

format: setup  ## rewrites the sources in the house style
	@source workspace/env.sh && ruff check --fix && ruff format

test: build lint  ## lint, then every test but the long ones
	@$(PYTEST) $(SIDE_BY_SIDE)

test-long: build lint  ## lint, then every test
	@$(PYTEST) -m ''

demo: build  ## real photos through real nodes; pictures in demo_out/
	@$(RUN) python -m openpose_ros demo

lock: setup  ## the newest versions into workspace/lock.txt
	@$(RUN) python -m workspace.lock

clean:  ## removes everything that make made
	rm -rf .venv build install log demo_out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
