# Everything is one command; each sets up what it needs first.
#
#   make demo         a whole cluster on this machine: fails over before your eyes, then cleans up
#   make test         all tests
#   make check        format, lint, types, import rules
#   make build        dist/appliance for this machine
#   make dist         the binaries for every supported machine, with SHA-256 sums
#   make bench        figures, keepalived beside us
#   make test-kernel  the tests that need a Linux with GRE and IPVS, in user-mode Linux

BUN  := node_modules/.bin/bun
DENO := node_modules/.bin/deno
TSC  := node_modules/.bin/tsc

# --bytecode needs --format=esm; the two --no-compile flags keep files in the working directory from changing the program.
BUILD := $(BUN) build --compile --minify --bytecode --format=esm --splitting \
	--no-compile-autoload-dotenv --no-compile-autoload-bunfig \
	--define APPLIANCE_COMMIT='"$(shell git rev-parse --short HEAD 2>/dev/null)"'

SOURCES := main.ts package.json $(shell find lib mod -name '*.ts' -o -name '*.json')
TARGETS := linux-x64 linux-x64-baseline linux-x64-musl linux-arm64 linux-arm64-musl

.PHONY: demo test check build dist bench test-kernel fmt schema clean packages

demo: build
	dist/appliance lab demo

test: build packages
	$(BUN) tests/run.ts

check: node_modules
	$(DENO) fmt --check
	$(DENO) lint
	$(TSC) --noEmit -p .
	$(BUN) tools/imports.ts

build: dist/appliance

dist/appliance: node_modules $(SOURCES)
	@mkdir -p dist
	$(BUILD) main.ts --outfile $@

dist: build
	@for target in $(TARGETS); do \
	  mkdir -p dist/$$target && \
	  $(BUILD) --target=bun-$$target main.ts --outfile dist/$$target/appliance || exit 1; \
	done
	@cd dist && sha256sum */appliance | tee SHA256SUMS

bench: build packages
	$(BUN) tests/bench/main.ts

test-kernel: build packages
	$(BUN) tests/run.ts lab kernel

fmt: node_modules
	$(DENO) fmt

schema: node_modules
	$(BUN) tools/schema.ts
	$(BUN) tools/docs.ts

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

packages:
	@tools/packages.sh

clean:
	rm -rf dist node_modules
