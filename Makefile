# `make up` starts everything; `make test` checks everything. Needs Python >= 3.11 and make, no root.
#
#   make up [DATA=/path/to/studies] [ARGS="--port 9091"]   start (Ctrl-C stops)
#   make check                                             format, lint, types, layers, unit tests
#   make test                                              check + end-to-end tests
#   make bench [ONLY=name]                                 measurements into benchmarks/results/
#   make clean                                             remove the environments (state in .lungloop stays)
#
# PYTHON=/path/to/python3.12 chooses the interpreter, PIP_ARGS adds arguments to pip.

PYTHON ?= python3
PIP_ARGS ?=
ARGS ?=
DATA ?=
ONLY ?=
# Unit tests run in this many processes; end-to-end tests share one stack and run alone.
JOBS ?= 2
# Real workers, each a process that starts others: beside other tests they would wait for a core, not for a job.
QUEUE_TESTS := tests/chestct/job_queue

PRODUCT := .venv
STUDIO := .venv-label-studio
STUDIO_ML := .venv-label-studio-ml
BIN := $(PRODUCT)/bin

# A stamp is written when an installation is whole, and is older than a changed list of requirements:
# so a second `make up` installs nothing.
INSTALLED := $(PRODUCT)/.installed
INSTALLED_DEV := $(PRODUCT)/.installed-dev
STUDIO_INSTALLED := $(STUDIO)/.installed
STUDIO_ML_INSTALLED := $(STUDIO_ML)/.installed

REQUIREMENTS := pyproject.toml constraints.txt
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)
# Tests start many small torch processes: more threads than one only get into each other's way.
ONE_THREAD := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1}

# An environment whose creation was interrupted has no working pip: it is made anew.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "LungLoop needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
       "Choose another one: make up PYTHON=/path/to/python3.12" >&2; exit 2; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef

.PHONY: up environments label-studio test-environments check test unit end-to-end bench clean

up: environments
	@exec $(BIN)/lungloop up $(if $(DATA),--data "$(DATA)") $(ARGS)

# Two installations that do not know of each other: at the same time.
environments:
	@$(MAKE) --silent --no-print-directory -j2 $(INSTALLED) $(STUDIO_INSTALLED)

label-studio: $(STUDIO_INSTALLED)

test-environments:
	@$(MAKE) --silent --no-print-directory -j3 $(INSTALLED_DEV) $(STUDIO_INSTALLED) $(STUDIO_ML_INSTALLED)

$(INSTALLED): $(REQUIREMENTS)
	$(call environment,$(PRODUCT))
	@echo "Installing LungLoop into $(PRODUCT) (about two minutes, once)" >&2
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e .
	@touch $@

$(INSTALLED_DEV): $(REQUIREMENTS)
	$(call environment,$(PRODUCT))
	@echo "Installing LungLoop and the tools of its tests into $(PRODUCT)" >&2
	@$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[dev,warm-start]'
	@touch $@ $(INSTALLED)

# Label Studio wants other versions than we do (numpy below 2.3, Django): an environment of its own.
$(STUDIO_INSTALLED):
	$(call environment,$(STUDIO))
	@echo "Installing Label Studio into $(STUDIO) (about two minutes, once)" >&2
	@$(STUDIO)/bin/python $(PIP_INSTALL) 'label-studio==1.23.2' 'numpy<2.3'
	@touch $@

# The package index's label-studio-ml pins a Flask of 2020, so it has yet another environment, which sees
# the product's packages behind its own.
SITE_PACKAGES := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
$(STUDIO_ML_INSTALLED): | $(INSTALLED_DEV)
	$(call environment,$(STUDIO_ML))
	@echo "Installing label-studio-ml into $(STUDIO_ML)" >&2
	@$(STUDIO_ML)/bin/python $(PIP_INSTALL) 'label-studio-ml==1.0.9'
	@echo "import site; site.addsitedir('$$($(BIN)/python $(SITE_PACKAGES))')" \
	  > "$$($(STUDIO_ML)/bin/python $(SITE_PACKAGES))/zz_product.pth"
	@touch $@

check: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory unit

unit: $(INSTALLED_DEV)
	$(ONE_THREAD) $(BIN)/python -m pytest tests --ignore=tests/end_to_end --ignore=$(QUEUE_TESTS) \
	  -n $(JOBS) --dist loadfile $(ARGS)
	$(ONE_THREAD) $(BIN)/python -m pytest $(QUEUE_TESTS) $(ARGS)

end-to-end: test-environments
	$(ONE_THREAD) $(BIN)/python -m pytest tests/end_to_end $(ARGS)

test: test-environments
	$(MAKE) --no-print-directory check
	$(MAKE) --no-print-directory end-to-end

# Each script of benchmarks/ answers one question and says in its first lines what it compares.
bench: $(INSTALLED_DEV)
	@mkdir -p benchmarks/results
	@for script in $(if $(ONLY),benchmarks/$(ONLY).py,benchmarks/[a-z]*.py); do \
	  echo "== $$script" >&2; $(BIN)/python "$$script" || exit 1; done

clean:
	rm -rf $(PRODUCT) $(STUDIO) $(STUDIO_ML) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
