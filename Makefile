# Two commands do everything on a fresh Debian 12: `make demo` and `make test`.
# `make env PYTHON=...` builds .venv on another Python that has DIALS (conda, a module).
PYTHON ?= /usr/bin/python3
SECONDS ?= 3600
RUN = .venv/bin/

.PHONY: env demo test lint sanitize acceptance bench soak clean
env: .venv/.ready
.venv/.ready: setup.cfg setup.py pyproject.toml tools/make-env $(wildcard spotfinding/*/*.cpp spotfinding/*/*.h filewatcher/edges/swmr/index/*.cpp filewatcher/edges/swmr/index/*.h)
	tools/make-env $(PYTHON)

demo: env
	$(RUN)filewatcher demo

test: env lint
	$(RUN)python -m pytest

lint: env
	$(RUN)ruff check . && $(RUN)ruff format --check . && $(RUN)lint-imports && $(RUN)mypy

sanitize: env
	tools/sanitize

acceptance: env
	$(RUN)python benchmarks/acceptance.py && $(RUN)python benchmarks/acceptance_page.py && \
	$(RUN)python benchmarks/known_crystal.py && $(RUN)python benchmarks/kills.py && $(RUN)python benchmarks/daemon_kills.py

BENCHES = spotfinding watch dispatch latency browser crowd deposit centring
# these write their pages themselves
PAGES = spotfinding watch
bench: env
	@missed=0; $(foreach name,$(BENCHES),$(RUN)python benchmarks/$(name).py --check \
	$(if $(filter $(name),$(PAGES)),--page docs/reference/benchmarks-$(name).rst) || missed=1;) exit $$missed

soak: env
	$(RUN)python benchmarks/soak.py --seconds $(SECONDS)

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
