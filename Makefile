# Everything a developer of jitney does more than once. `make` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.version=$(VERSION)"
# Peers are required, and go vet is left to make verify.
TEST    := JITNEY_TEST_REQUIRE=1 $(GO) test -vet=off
# SQLite, a translation from C, is ten times slower under the race detector; what calls it is watched.
RACE    := -race -gcflags=modernc.org/...=-race=false
TOOL     = $(GO) tool -modfile=tools/$(1)/go.mod $(1)

# The packages in which two goroutines meet; make race runs their tests under
# the race detector, and make test runs them in no other way.
CORE := ./access ./secret ./audit ./schedule/... ./store/... ./broker/... ./ticket/desk ./notify ./target/fake/...

# The packages whose tests take longest, which begin first.
SLOW := ./web ./cmd/jitney ./target/ad ./reconcile

.DEFAULT_GOAL := help
.PHONY: help build demo test need verify race crash desks proof bench screenshots css sqlc clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build ./jitney, one static binary
	$(BUILD) -o jitney ./cmd/jitney

demo: ## Try everything in a browser, with simulated systems; nothing to install but Go
	@echo "Building jitney (the first time takes a minute or two) ..."
	@$(BUILD) -o jitney ./cmd/jitney
	@exec ./jitney demo

test: need verify race crash ## Run every test, against real peers (installs them as root where they are missing)
	$(TEST) -p 4 -timeout 20m $(SLOW) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(CORE))") # most of them wait for a peer or a browser

need: # Install the peers of the tests: Samba AD DC, PostgreSQL, Chromium
	@lab/need

verify: ## Check format, go vet, staticcheck
	@fmt=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$fmt" ]; then echo "gofmt these files:"; echo "$$fmt"; exit 1; fi
	$(GO) vet ./...
	$(call TOOL,staticcheck) ./...

race: ## Run the tests of the core under the race detector
	$(TEST) $(RACE) -timeout 15m $(CORE)
	$(TEST) $(RACE) -timeout 15m -run 'Simulation$$|Matrix|Pass' ./reconcile -args -seeds 3 # hours of virtual time are slow under the detector

desks: ## Run the ticket connectors against the real Request Tracker and Redmine (installs them as root; 5 minutes)
	lab/rt install && lab/redmine install && JITNEY_TEST_REQUIRE=1 $(GO) test -tags desks -p 1 -timeout 9m -run Real ./ticket/...

crash: ## kill -9 the real server at every crash point, on both databases
	$(TEST) -tags crashpoints -parallel 16 -timeout 15m -run 'Crash' ./cmd/jitney

proof: ## Microsoft 365 and AWS at full size in virtual time, with faults, throttling and every answer lost; and a thousand hours of bad luck
	$(GO) test -timeout 15m ./proof/entra ./proof/aws -args -full
	$(GO) test -timeout 15m -run 'Simulation$$' ./reconcile -args -seeds 1000

bench: ## Measure: inserts, lateness of ends, storms, kill -9, memory, start-up, sessions, lists of tickets, processes that print keys
	$(GO) run ./cmd/jitney-bench
	$(GO) test -run '^$$' -bench Keys -benchtime 60x ./cli

screenshots: build ## Take the pictures of the documentation from the demo (needs Chromium)
	JITNEY_SCREENSHOTS=docs/img $(GO) test -count=1 -run 'TestScreenshots|TestM365InABrowser' ./cmd/jitney

css: ## Make the style sheet from tools/web (needs Node)
	cd tools/web && npm install && npm run build

sqlc: ## Make store/db from store/query and the schema
	$(call TOOL,sqlc) generate -f store/sqlc.yaml

clean: ## Remove what make build left
	rm -f jitney
