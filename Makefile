# Tonewall: `make run` shows one paid call, `make test` proves it. Both install what they need; safe to repeat.

# Debian's own Python where it is there: its headers are what python3-dev installs.
PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV    := .venv
BIN     := $(VENV)/bin
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT     := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends
WORKERS ?= 4
# Modules and tests are kept compiled, whatever the environment says of bytecode: processes near card data write
# none, and each of a test's Tonewall would compile what it imports.
CACHED  := env PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=
COMPILE := $(CACHED) $(BIN)/python -m compileall -q b2bua media provider_adapters tonewall
PYTEST   = $(COMPILE) && $(CACHED) $(BIN)/python -m pytest

BUILD_PACKAGES := build-essential ca-certificates cmake libsrtp2-dev pkg-config python3-dev python3-venv
RUN_PACKAGES   := espeak-ng
TEST_PACKAGES  := asterisk-core-sounds-en-wav asterisk-core-sounds-es-wav asterisk-core-sounds-fr-wav \
                  asterisk-core-sounds-it-wav asterisk-core-sounds-ru-wav baresip-core chromium clang dnsmasq-base docker-compose \
                  fonts-dejavu-core groff-base iproute2 kamailio kamailio-tls-modules libbcg729-0 libclang-rt-dev libsox-fmt-base libspandsp2 libvo-amrwbenc0 \
                  linphone-cli minisign multimon-ng nftables postgresql procps prometheus redis-server rsyslog rsyslog-gnutls rtpengine-daemon \
                  sip-tester softhsm2 sox sqlite3 systemd tshark

.PHONY: help setup run test quick check bench leak-report soak kills instances shared-costs scale flood sign-in-flood docs man prompts explore explore-api fuzz model fuzz-core lost-keys audit-chains sanitize analyze patterns pictures lock sbom licences audit-packages release site deb deb-test reproduce image image-test clean

help:  ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: build/.setup  ## Everything that run and test need (apt through sudo, or as root; Python packages in .venv)

build/.apt-run: Makefile
	@mkdir -p build
	@dpkg -s $(BUILD_PACKAGES) $(RUN_PACKAGES) >/dev/null 2>&1 || { $(SUDO) apt-get update -q && $(APT) $(BUILD_PACKAGES) $(RUN_PACKAGES); }
	@touch $@

build/.apt-test: build/.apt-run
	@dpkg -s $(TEST_PACKAGES) >/dev/null 2>&1 || { $(SUDO) apt-get update -q && $(APT) $(TEST_PACKAGES); }
	@touch $@

# Node.js and npm of Debian, where there are none; the packages by their hashes.
NPM_LOCKS := tests/architecture/recheck/package-lock.json tests/contract/prism/package-lock.json \
  tests/contract/oidc_provider/package-lock.json tests/browser/axe/package-lock.json clients/typescript/package-lock.json
build/.npm: $(NPM_LOCKS) build/.apt-run
	@command -v npm >/dev/null || { $(SUDO) apt-get update -q && $(APT) nodejs npm; }
	for each in $(dir $(NPM_LOCKS)); do \
	  npm ci --prefix $$each --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error || exit 1; done
	@touch $@

build/.venv: requirements/dev.lock build/.apt-run
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	@touch $@

# An editable installation has a list of the packages: a module that becomes one is installed anew.
PACKAGES := $(shell find b2bua media provider_adapters tonewall -name __init__.py)

build/.setup: build/.venv pyproject.toml CMakeLists.txt $(PACKAGES) $(shell find media/core -name "*.[ch]")
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@

run: build/.setup  ## One call between two real phones, paid by card, checked on the wire
	$(BIN)/tonewall demo

test: build/.setup build/.apt-test build/.npm  ## Every test
	$(PYTEST) -n $(WORKERS)

quick: build/.setup  ## The tests that need their own process only: an answer within a minute, and how long it took
	$(PYTEST) -n $(WORKERS) -m fast --durations=5

check: build/.setup  ## Formatting, lint, types, import rules, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.architecture.states --check
	$(BIN)/python -m tests.architecture.policy --check
	$(BIN)/python -m tests.architecture.roles --check
	$(BIN)/python -m tests.architecture.openapi --check
	$(BIN)/python -m tests.architecture.client --check
	$(BIN)/python -m tests.architecture.clauses --check
	$(BIN)/python -m tests.architecture.personal --check
	$(BIN)/python -m tests.architecture.kept_shapes --check
	$(BIN)/python -m tests.architecture.interface_shapes --check
	$(BIN)/python -m tests.architecture.security --check
	$(BIN)/python -m tests.architecture.log_entries --check

docs: build/.setup  ## Generate docs/states.md from the transition tables, docs/headers.md, docs/roles.md, docs/pci-dss.md from theirs
	$(BIN)/python -m tests.architecture.states
	$(BIN)/python -m tests.architecture.policy
	$(BIN)/python -m tests.architecture.roles
	$(BIN)/python -m tests.architecture.openapi
	$(BIN)/python -m tests.architecture.client
	$(BIN)/python -m tests.architecture.clauses
	$(BIN)/python -m tests.architecture.personal
	$(BIN)/python -m tests.architecture.kept_shapes
	$(BIN)/python -m tests.architecture.interface_shapes
	$(BIN)/python -m tests.architecture.security
	$(BIN)/python -m tests.architecture.log_entries

man: build/.setup  ## The manual page of the tonewall command: build/man/tonewall.1
	$(BIN)/python -m release.man

prompts: build/.setup  ## Make the shipped prompts anew, with flite and espeak-ng
	@dpkg -s flite espeak-ng >/dev/null 2>&1 || $(APT) flite espeak-ng
	$(BIN)/python -m media.prompts.speak

patterns: build/.setup build/.npm  ## Ask recheck of every regular expression anew, and keep which ones take linear time; ten minutes
	$(BIN)/python -m tests.architecture.linear

pictures: build/.setup build/.apt-test  ## Take the pictures of the agent's page and of a call's ladder again
	TONEWALL_PICTURES=1 $(BIN)/python -m pytest tests/browser
	TONEWALL_PICTURES=1 $(BIN)/python -m pytest tests/wire/running/test_ladder.py
	TONEWALL_PICTURES=1 $(BIN)/python -m pytest tests/unit/b2bua/ladder/test_ladder_shown.py

bench: build/.setup build/.apt-test  ## Compare with rtpengine and sippy; writes build/bench.json
	$(BIN)/python -m tests.benchmark

soak: build/.setup build/.apt-test  ## Hold 5,000 idle calls for two minutes, end them, and look at what is left; about five minutes
	$(BIN)/python -m tests.benchmark --only soak

kills: build/.setup build/.apt-test  ## kill -9 of each process, and an upgrade, under calls, KILLS times each: what is lost (10 under 200 calls, half an hour): make kills CALLS=50 KILLS=2
	TONEWALL_KILLED_CALLS=$(CALLS) TONEWALL_KILLS=$(KILLS) TONEWALL_KILLED="$(KINDS)" $(BIN)/python -m tests.benchmark --only kills

instances: build/.setup build/.apt-test  ## Three Tonewalls behind an edge, with Redis: kill one, kill Redis, drain all (300 calls): make instances CALLS=30 FAULTS=redis
	TONEWALL_INSTANCE_CALLS=$(CALLS) TONEWALL_INSTANCE_FAULTS="$(FAULTS)" $(BIN)/python -m tests.benchmark --only instances

shared-costs: build/.setup build/.apt-test  ## What instances that share a Redis cost, and a call the edge, in µs
	$(BIN)/python -m tests.benchmark.sharing

scale: build/.setup  ## Simulate up to 200,000 calls, and write plot and tables of docs/scale.md
	$(BIN)/python -m tests.benchmark.scale_plot

PRESSES ?= 10000
leak-report: build/.setup build/.apt-test  ## Key PRESSES a condition into the mask, let three decoders listen, write docs/leak-report.md (10,000; half an hour)
	$(BIN)/python -m tests.leak --presses $(PRESSES)

flood: build/.setup build/.apt-test  ## 1,000 INVITEs a second of a stranger for half a minute, while calls are up
	TONEWALL_FLOOD_SECONDS=30 $(BIN)/python -m pytest -q -rP tests/wire/signalling/test_flood.py

sign-in-flood: build/.setup build/.apt-test  ## 1,000 wrong sign-ins a second from one address, then from 200, while calls change: what the agents' feed feels
	TONEWALL_SIGN_IN_SECONDS=10 $(BIN)/python -m pytest -q -rP tests/wire/running/test_sign_in_flood.py

fuzz: build/.setup build/.apt-test  ## Fuzz what reads SIP, SDP, bodies and answers (targets: tests/fuzz/targets.py; or all): make fuzz TARGET=message SECONDS=600
	$(BIN)/python -m tests.fuzz $(or $(TARGET),message) -max_total_time=$(or $(SECONDS),60)

fuzz-core: build/.setup build/.apt-test  ## Fuzz the media core (tests/fuzz/core): make fuzz-core TARGET=packets SECONDS=600
	$(BIN)/python -m tests.fuzz.core $(or $(TARGET),packets) $(or $(SECONDS),60)

lost-keys: build/.setup build/.apt-test  ## 1,200 calls of tones over each lossy line, 20,000 odd senders: no digit may be wrong without a word
	TONEWALL_CALLS=1200 TONEWALL_PRESSES=20000 $(BIN)/python -m pytest --timeout=900 tests/property/media/core/test_lost_tones.py tests/property/media/core/test_odd_senders.py

audit-chains: build/.setup build/.apt-test  ## 10,000 random audit logs, each changed in some way by who has no key: every change is found
	TONEWALL_AUDIT_RUNS=10000 $(BIN)/python -m pytest -n $(WORKERS) --durations=3 tests/property/b2bua/audit

EXAMPLES ?= 200
explore-api: build/.setup build/.apt-test  ## Ask a running Tonewall what its own description allows, and what it does not, at random: make explore-api EXAMPLES=200
	TONEWALL_API_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --timeout=7200 tests/wire/running/test_described_api.py

ROUNDS ?= 20
explore: build/.setup build/.apt-test  ## The property tests with other examples each time: make explore ROUNDS=20
	for round in $$(seq $(ROUNDS)); do $(BIN)/python -m pytest -n $(WORKERS) tests/property || exit 1; done

sanitize: build/.setup build/.apt-test  ## The tests of the media core with one that is watched for memory, undefined behaviour and races
	$(BIN)/python -m tests.sanitize

analyze: build/.setup  ## The media core under GCC's static analyzer
	$(BIN)/python -m pytest -q tests/sanitize/test_analyzed.py

model: build/.setup build/.apt-test  ## Let anything happen to a running Tonewall (docs/testing.md): make model SECONDS=600, HOURS=8, or SEED=17
	$(BIN)/python -m tests.model --seconds $(if $(HOURS),$(shell expr $(HOURS) \* 3600),$(or $(SECONDS),60)) $(if $(SEED),--seed $(SEED)) $(if $(FAULT),--fault $(FAULT)) $(if $(KILLS),--kills $(KILLS))

lock:  ## Pin every dependency again, at its newest version that fits
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --quiet --upgrade -o requirements/run.lock
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --quiet --upgrade --extra build --extra test --extra check --extra release -o requirements/dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --quiet --extra postgresql --extra redis -c requirements/dev.lock -o build/extras.lock
	$(BIN)/python -m release.lock build/extras.lock requirements/run.lock requirements/extras.lock
	$(BIN)/uv pip compile requirements/site.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade -o requirements/site.lock
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | \
	  $(BIN)/uv pip compile - --universal --generate-hashes --no-header --no-annotate --quiet --upgrade -o requirements/build.lock

sbom: build/.setup  ## What Tonewall consists of, as CycloneDX: build/sbom.json
	$(BIN)/python -m release.sbom

licences: build/.setup  ## Refuse a package whose licence is not in release/licences.toml
	$(BIN)/python -m release.licences

audit-packages: build/.setup  ## Refuse known vulnerabilities that are not in release/accepted.toml (asks pip-audit's service)
	$(BIN)/python -m release.findings

release: build/.setup  ## Signed files of a release in dist/release (docs/releasing.md): make release IMAGE=yes, or DRY_RUN=yes
	DRY_RUN=$(DRY_RUN) $(BIN)/python -m release $(if $(IMAGE),--image)

build/.site: requirements/site.lock build/.apt-run
	test -x build/site-venv/bin/python || $(PYTHON) -m venv build/site-venv
	build/site-venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/site.lock
	@touch $@

site: build/.site  ## The documentation as a site: build/site; a link that leads nowhere fails it
	build/site-venv/bin/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going -c release/site -d build/site-doctrees -b html docs build/site
	cp build/site/README.html build/site/index.html

deb: build/.setup  ## The package for Debian 12: build/tonewall_VERSION_ARCHITECTURE.deb
	$(BIN)/python -m release.deb

deb-test: build/.setup build/.apt-test  ## Build the package twice, then install, start, call, upgrade, remove and purge it in a new Debian 12 (root)
	@dpkg -s debootstrap >/dev/null 2>&1 || $(APT) debootstrap
	$(BIN)/python -m release.deb --to build/deb/first
	TMPDIR=$$(mktemp -d) $(BIN)/python -m release.deb --to build/deb/second
	cmp build/deb/first/*.deb build/deb/second/*.deb
	DEB=$$(ls build/deb/first/*.deb) tests/packaging/deb_test.sh

EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct))
image:  ## The container image, with whichever builder is there
	@command -v docker >/dev/null && docker build --build-arg SOURCE_DATE_EPOCH=$(EPOCH) -t tonewall . \
	  || buildah build --timestamp $(EPOCH) --build-arg SOURCE_DATE_EPOCH=$(EPOCH) -t tonewall .

reproduce: build/.setup build/.apt-test  ## Build the image twice, and compare every file of the two (root; half an hour)
	@dpkg -s buildah debootstrap >/dev/null 2>&1 || $(APT) buildah debootstrap
	ARCHIVE=$(CURDIR)/build/image/first.tar tests/packaging/build_image.sh
	ARCHIVE=$(CURDIR)/build/image/second.tar tests/packaging/build_image.sh
	$(BIN)/python -m release.images build/image/first.tar build/image/second.tar

image-test: build/.apt-test  ## Build the image without a Docker engine or an image registry, and look into it (root)
	@dpkg -s buildah debootstrap >/dev/null 2>&1 || $(APT) buildah debootstrap
	tests/packaging/build_image.sh

clean:  ## Remove what was built, but not .venv
	rm -rf build dist media/*.so
