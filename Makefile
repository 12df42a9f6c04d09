# `make run` and `make test` do all their set-up; nothing else is needed but python3.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Without it, each of the tests' many processes would compile the code anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run serve dev test lint fmt fast pytest golden bench soak readers build release screenshots image image-test worst

run: $(BIN)/feedsvc
	@exec $(BIN)/feedsvc serve --demo

serve: $(BIN)/feedsvc
	@exec $(BIN)/feedsvc serve

# Flask's server, which starts anew when code, a template or a phrase changes, and shows errors in the browser.
dev: $(BIN)/feedsvc
	@$(BIN)/feedsvc demo
	@exec $(BIN)/flask --app wsgi run --debug --port $${PORT:-8000} \
		--extra-files "$$(ls feedsvc/pages/templates/* feedsvc/formats/*.toml | paste -sd: -)"

test: lint pytest

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: $(VENV)/.tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Formats, pages and entries, without services, browsers and PostgreSQL: less than 20 seconds on two idle cores.
FAST = tests/formats tests/web tests/test_architecture.py $(wildcard tests/api/test_auth*.py tests/api/test_entr*.py)
fast: $(VENV)/.tests $(BIN)/feedsvc
	$(BIN)/pytest -n 2 -k "not postgresql" $(FAST)

pytest: $(VENV)/.tests $(BIN)/feedsvc
	$(BIN)/pytest -n 3 --dist worksteal

# Writes what tests compare with what the code makes: tests/golden, openapi.json, lists in deploy/nginx.conf.
golden: $(VENV)/.tests $(BIN)/feedsvc
	GOLDEN=write $(BIN)/pytest -m golden

# Processor time beside the version before and what others would use instead; writes it to docs/performance.md and .svg.
bench: $(VENV)/.bench
	@exec $(BIN)/python -m bench

# The most expensive requests, at 100,000 entries on both databases, beside the version before. On a slow machine in
# parts: make worst WORST='--database postgresql --part 1/4'
worst: $(VENV)/.bench
	@exec $(BIN)/python -m bench worst $(WORST)

# What feed readers and calendar programs of others, in .readers/, make of the feeds, compared with the tables in
# docs/readers.md; WRITE=1 writes them. make readers URL=… prints what they make of another feed.
readers: $(VENV)/.tests .readers/.installed
	@exec $(BIN)/python -m readers $(URL)

.readers/.installed: readers/install.sh $(wildcard readers/*.txt readers/package*.json)
	PYTHON=$(PYTHON) readers/install.sh

# Longer: make soak SOAK_SECONDS=3600 API_EXAMPLES=1000 MODEL_EXAMPLES=1000
soak: export API_EXAMPLES ?= 200
soak: export CACHE_WRITES ?= 2000
soak: export COST_DIVISOR ?= 1
soak: export MODEL_EXAMPLES ?= 60
soak: export XSS_STEP ?= 1
soak: $(VENV)/.tests
	@exec $(BIN)/pytest -m "soak or bar or hypothesis"

# Sdist and wheel in dist/; the command of the wheel, in an empty environment, starts.
build: .release/.tools
	rm -rf dist
	.release/bin/python -m build --quiet --outdir dist
	$(PYTHON) -m venv --clear .release/wheel
	.release/wheel/bin/pip install --quiet --disable-pip-version-check --constraint requirements.txt dist/*.whl
	.release/wheel/bin/feedsvc --version

.release/.tools: Makefile
	$(PYTHON) -m venv --clear .release
	.release/bin/pip install --quiet --disable-pip-version-check build==1.6.1 cyclonedx-bom==7.5.0
	@touch $@

# All that a release publishes, in dist/: also a bill of materials; the image for both processors, if Buildah is here
# (and qemu-user-static for the other one); and hashes.
release: build
	.release/bin/cyclonedx-py requirements --output-reproducible --output-file dist/sbom.cdx.json requirements.txt
	@if command -v buildah >/dev/null; then \
		buildah build --platform $(PLATFORMS) --manifest $(IMAGE) $(IMAGE_OPTIONS) . && \
		buildah manifest push --all $(IMAGE) oci-archive:dist/$(subst :,-,$(IMAGE))-image.tar; \
	else echo "No image: install Buildah." >&2; fi
	cd dist && { sha256sum feedsvc-* sbom.cdx.json || shasum -a 256 feedsvc-* sbom.cdx.json; } >SHA256SUMS

# Tagged with the version. Other options: make image IMAGE_OPTIONS='--build-arg BASE=registry.example/python:3.13'
IMAGE = feedsvc:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' feedsvc/__init__.py)
PLATFORMS = linux/amd64,linux/arm64
image:
	@if docker info >/dev/null 2>&1; then docker build --tag $(IMAGE) $(IMAGE_OPTIONS) .; \
	elif command -v buildah >/dev/null; then buildah build --format docker --tag $(IMAGE) $(IMAGE_OPTIONS) .; \
	else echo "Install Docker, and start it, or Buildah." >&2; exit 1; fi

# Builds the image with Buildah on a base from debootstrap, and starts it. Takes two minutes.
image-test: $(VENV)/.tests
	$(BIN)/pytest -m image -rs tests/deploy

# Needs Chromium; look at them before they are committed.
screenshots: $(VENV)/.tests
	@exec $(BIN)/python -m tests.browser.screenshots docs/screenshots

# --clear, since one of another Python may have been left by a failed attempt.
$(VENV)/.service: requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %d.%d. Name another: make run PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The command; the code stays here, since the installation is editable.
$(BIN)/feedsvc: pyproject.toml $(VENV)/.service
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.bench: $(VENV)/.tests bench/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

$(VENV)/.tests: $(VENV)/.service tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
