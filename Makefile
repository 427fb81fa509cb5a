# Each target only calls ./test.sh or go; start there.
.PHONY: help demo build wasm test check interop long bench scale fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## all three services on this machine, and a story played on them
	go run ./cmd/kinpass demo

build: ## bin/kinpass, static
	CGO_ENABLED=0 go build -trimpath -o bin/kinpass ./cmd/kinpass

wasm: ## the check that the officer's browser runs, from the source
	go test -count=1 ./cmd/internal/wasmtest -run '^TestBuilt$$' -update

test: ## all tests (starts its own PostgreSQL)
	./test.sh

check: ## format, vet, staticcheck, known vulnerabilities
	./test.sh check

interop: ## tests against independent implementations (needs npm)
	./test.sh interop

long: ## the tests with the long ones
	./test.sh long

bench: ## benchmarks
	./test.sh bench

scale: ## the figures and pictures of docs/SCALE.md (some minutes)
	go run ./cmd/kinpass simulate --credentials 100e6 --revoked 1% --posts 500 --days 30 --markdown docs/SCALE.md --plots docs/pictures/scale

fuzz: ## every fuzz target for FUZZTIME (default 30s)
	./test.sh fuzz
