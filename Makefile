# Thin: every target is one command that can also be typed. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export REDFIX_DIR ?= $(CURDIR)/target/redfix

TOOLS := warm-domain-alloc swarm-isolate log-snap flake-classify pr-open redfix-report

.PHONY: help build demo mumble test test-long lint unit bench faults engine-up engine-down clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the six tools, optimised, in target/release
	cargo build --release --locked $(addprefix -p ,$(TOOLS))

demo: ## from a fresh machine to a report: build, private engine, mumble from red to green, all torn down
	@exec scripts/demo

mumble: build ## the whole flow of the mumble row on DOCKER_HOST's swarm, or on a private engine
	@exec scripts/mumble.sh

test: ## everything that CI runs
	@exec scripts/check/all.sh

test-long: ## every end-to-end test, also the long ones, and those on three nodes
	@exec scripts/check/all.sh long

lint: ## formats, clippy, shell scripts, manual pages, spelling, licences
	@exec scripts/check/lint.sh

unit: ## unit and pipe tests: no engine needed
	cargo test --locked --workspace --exclude e2e
	cargo test --locked -p e2e --lib --test pipe --test manual

bench: build ## every tool beside its peer in the same run, as ratios: a table, and target/bench.jsonl
	@exec benches/all.sh

faults: ## repeat the random faults N times (N=200) on DOCKER_HOST's private engine
	REDFIX_FAULTS=$(or $(N),20) cargo test --locked -p e2e --test faults signal -- --nocapture

engine-up: ## the private engine (see scripts/engine --help)
	scripts/engine up

engine-down: ## the private engine goes, with everything in it
	scripts/engine down

clean: ## what was built and recorded here
	cargo clean
