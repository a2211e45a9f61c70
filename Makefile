# Thin aliases; everything is in run.py. Another Python: make demo PYTHON=python3.12
PYTHON ?= python3

.PHONY: demo test check lab
demo test check lab:
	$(PYTHON) run.py $@
