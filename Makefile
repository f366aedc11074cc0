# Thin: every target is one command that can also be typed. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export REDFIX_DIR ?= $(CURDIR)/target/redfix

TOOLS := warm-domain-alloc swarm-isolate log-snap flake-classify pr-open redfix-report

ROWS := discourse mattermost-lts mumble bluesky-pds gitea keycloak

.PHONY: help build demo $(ROWS) rows sweep plan redfix recheck doctor test test-long lint unit bench faults fuzz engine-up engine-down clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the six tools, optimised, in target/release
	cargo build --release --locked $(addprefix -p ,$(TOOLS))

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
	@exec scripts/all-rows $(if $(SHORT),--short) $(if $(STATE_DIR),--state-dir $(STATE_DIR)) $(if $(BUDGET),--budget $(BUDGET))

recheck: build ## the second look, from a fresh clone: verdicts derived again, one run per recipe made again
	@exec scripts/recheck $(if $(STATE_DIR),--state-dir $(STATE_DIR))

doctor: build ## check every setting, say what is missing
	@exec scripts/redfix doctor

test: ## everything that CI runs
	@exec scripts/check/all.sh

test-long: ## every end-to-end test, also the long ones, and those on three nodes
	@exec scripts/check/all.sh long

lint: ## formats, clippy, shell scripts, manual pages, spelling, licences
	@exec scripts/check/lint.sh

unit: ## unit and pipe tests: no engine needed
	cargo test --locked --workspace --exclude e2e
	cargo test --locked -p e2e --lib --test pipe --test manual --test snippets

bench: build ## every tool beside its peer in the same run, as ratios: a table, and target/bench.jsonl
	@exec benches/all.sh

faults: ## N random faults over all tools (N=1000), reproducible by SEED; what was tried, what was lost
	@exec scripts/check/faults.sh $(or $(N),1000) $(SEED)

fuzz: ## each reader and decoder with arbitrary bytes for T seconds (T=60)
	@exec scripts/check/fuzz.sh $(or $(T),60)

engine-up: ## the private engine (see scripts/engine --help)
	scripts/engine up

engine-down: ## the private engine goes, with everything in it
	scripts/engine down

clean: ## what was built and recorded here
	cargo clean
