# Thin: every target is one command that can also be typed. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export REDFIX_DIR ?= $(CURDIR)/target/redfix

TOOLS := warm-domain-alloc swarm-guard swarm-isolate swarm-wait log-snap flake-classify pr-open redfix-report

PAGES := $(wildcard man/*.[157])

ROWS := discourse mattermost-lts mumble bluesky-pds gitea keycloak

.PHONY: help build demo $(ROWS) rows sweep plan redfix recheck doctor install uninstall deb doc test test-long test-quick test-fresh test-luck again lint unit bench faults fuzz soak engine-up engine-down clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the tools, optimised, in target/release; the shell completions, in target/completions
	cargo build --release --locked $(addprefix -p ,$(TOOLS) dist)
	@cargo run --release --locked --quiet -p dist target/completions

install: ## what was built, with pages, completions, scripts, recipes, schema: PREFIX=/usr/local DESTDIR=
	@PREFIX='$(or $(PREFIX),/usr/local)' DESTDIR='$(DESTDIR)' dist/install

uninstall: ## takes away exactly what make install put there (the same PREFIX and DESTDIR)
	@PREFIX='$(or $(PREFIX),/usr/local)' DESTDIR='$(DESTDIR)' dist/install uninstall

deb: build ## a Debian package, in target/debian
	@exec dist/deb

demo: ## from a fresh machine to a report: build, private engine, mumble from red to green, all torn down
	@exec scripts/demo

rows: ## each row alone: make discourse, mattermost-lts, mumble, bluesky-pds, gitea, keycloak: from red to report
	@echo $(ROWS)

$(ROWS): build
	@exec scripts/$@.sh

sweep: build ## all enrolled recipes as a loaded CI runs them, on DOCKER_HOST's swarm or a private engine; ends with 1 when red
	@exec scripts/sweep

plan: build ## runs and hours for what the last sweep left red
	@exec scripts/redfix plan

redfix: build ## sweep, investigation, fixes, pull requests, verification, report (SHORT=1: what CI runs; FORGE, STATE_DIR)
	@$(if $(FORGE),REDFIX_FORGE='$(FORGE)') exec scripts/all-rows $(if $(SHORT),--short) $(if $(STATE_DIR),--state-dir $(STATE_DIR)) $(if $(BUDGET),--budget $(BUDGET))

recheck: build ## the second look, from a fresh clone: verdicts derived again, one run per recipe made again
	@exec scripts/recheck $(if $(STATE_DIR),--state-dir $(STATE_DIR))

doctor: build ## check every setting, say what is missing
	@exec scripts/redfix doctor

test: ## everything that CI runs
	@exec check/all.sh

test-long: ## every test and check, also the long ones
	@exec check/all.sh long

test-quick: ## before a commit: lint of what changed, unit and pipe tests, one run on an engine
	@exec check/quick.sh

test-fresh: ## the README's two commands on a fresh Debian 12 and a fresh Debian 13
	@exec check/fresh.sh

test-luck: ## CI's end-to-end tests N times (N=3) on a calm machine, and N times beside foreign load: which are flakes
	@exec check/luck.sh $(or $(N),3)

again: ## tests by name, alone: T=snap::no_secret_reaches_the_disk, N times (N=1)
	@N='$(or $(N),1)' exec check/again.sh $(T)

lint: ## formats, clippy, shell scripts, manual pages, spelling, licences
	@exec check/lint.sh

doc: ## the manual for a browser, in target/manual; redfix.7.html is where to begin
	@mkdir -p target/manual
	@cd man && for page in $(notdir $(PAGES)); do \
	  mandoc -T html -O 'toc,man=%N.%S.html;https://manpages.debian.org/%N.%S' "$$page" >"../target/manual/$$page.html" || exit; \
	done

unit: ## unit and pipe tests: no engine needed; what the tools emitted against the schema
	@exec check/unit.sh

bench: build ## every tool beside its peer in the same run, as ratios: a table, and target/bench.jsonl
	@exec benches/all.sh

faults: ## N random faults over all tools (N=1000), reproducible by SEED; what was tried, what was lost
	@exec check/faults.sh $(or $(N),1000) $(SEED)

fuzz: ## each reader and decoder with arbitrary bytes for T seconds (T=60)
	@exec check/fuzz.sh $(or $(T),60)

soak: ## the flow and all tools on three nodes in a loop, with faults (T=20m); leaks, descriptors, memory
	@exec check/soak.sh $(or $(T),20m) $(SEED)

engine-up: ## the private engine (see scripts/engine --help)
	scripts/engine up

engine-down: ## the private engine goes, with everything in it
	scripts/engine down

clean: ## what was built and recorded here
	cargo clean
