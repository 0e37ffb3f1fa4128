# Every developer command, one line each. `make` lists them.
JOBS ?= $(shell nproc)
.DEFAULT_GOAL := help
.PHONY: help build demo test unit scenarios spring tsan gcc clang-16 fuzz bench bench-mechanisms bench-programs bench-check bench-baseline bench-compare conformance lint format generate clean

help:            ## lists these commands
	@sed -nE 's/^([a-z0-9-]+): [^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name line; do \
	  printf '  make %-14s %s\n' "$$name" "$$line"; done

build:           ## installs what is missing and builds build/release/sallyport
	@scripts/packages build
	@scripts/build release sallyport

demo:            ## runs the guarded chat on this machine; HEADLESS=1 plays its story in the terminal
	@scripts/demo

test: $(if $(T),scenarios,unit bench-check scenarios) ## everything that must pass: unit tests under sanitizers, instructions counted, scenarios and clients on the release build; T=auth_matrix: that alone

unit:            ## unit tests beside the code, under AddressSanitizer and UBSan; T=name for one layer
	@scripts/packages test
	@scripts/build asan all
	@ctest --test-dir build/asan --output-on-failure -j $(JOBS) $(if $(T),-R $(T))

scenarios: bench-programs ## scenario files, real clients and the command line against the release build; T=expression for some
	@scripts/pytest $(if $(T),-k "$(T)")

spring: build    ## builds the application on Spring Session by Maven and takes its users through the gateway
	@scripts/packages test spring
	@mkdir -p build/spring && cp -r tests/frameworks/spring/. build/spring && cd build/spring && mvn -q -B package
	@SALLYPORT_SPRING=1 scripts/pytest -k "test_frameworks and spring"

tsan:            ## unit tests and scenarios, with four loops, under ThreadSanitizer
	@scripts/packages test
	@scripts/build tsan all
	@ctest --test-dir build/tsan --output-on-failure
	@SALLYPORT_BUILD=build/tsan SALLYPORT_PATIENCE=40 SALLYPORT_THREADS=4 scripts/pytest --ignore tests/scenarios/test_load.py --ignore tests/test_bench.py

gcc:             ## builds everything with the other compiler, GCC 12, and runs its unit tests
	@scripts/packages test gcc
	@scripts/build gcc all
	@ctest --test-dir build/gcc --output-on-failure

clang-16:        ## builds everything with the oldest clang that must work
	@scripts/packages test clang-16
	@scripts/build clang-16 all

fuzz:            ## every fuzz target for SECONDS=60 each; F=name for one
	@scripts/packages build
	@scripts/build fuzz all
	@fuzz/run "$(F)"

bench-programs: build
	@scripts/packages test
	@scripts/build release bench

bench: build     ## what it costs beside nginx, HAProxy, Caddy, Envoy and Node; ROUNDS=2 ONLY=messages PEERS=nginx,sallyport for less
	@scripts/packages bench
	@scripts/build release bench
	@scripts/build asan gateway_test
	@/usr/bin/python3 bench/run.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers $(PEERS)) $(BENCH)

bench-mechanisms: build  ## what each way to authenticate costs a handshake; docs/reference/mechanisms.md shows it
	@scripts/packages test
	@/usr/bin/python3 bench/mechanisms.py $(BENCH)

bench-check: bench-programs  ## counts the instructions of a message, a handshake, a refusal; fails above the committed figures +5 %
	@/usr/bin/python3 bench/compare.py check

bench-baseline: bench-programs  ## writes the figures that bench-check compares with
	@/usr/bin/python3 bench/compare.py baseline

BASE ?= HEAD
bench-compare: bench-programs  ## counts the same of another revision, BASE=rev (HEAD), and names the functions that changed
	@/usr/bin/python3 bench/compare.py against $(BASE)

conformance: build  ## judged by the suites of others, into docs/conformance.md; AUTOBAHN=checkout H2SPEC=checkout
	@scripts/packages conformance
	@tests/conformance/run "$(AUTOBAHN)" "$(H2SPEC)"

lint: build      ## layers, format, generated pages, shell syntax
	@scripts/packages lint
	@scripts/lint

format:          ## rewrites the C++ sources in the house style
	@git ls-files 'src/*.h' 'src/*.cpp' 'tests/*.cpp' 'bench/*.h' 'bench/*.cpp' | xargs clang-format-19 -i

generate: build  ## writes docs/reference and the JSON Schema from the code; lint fails when they differ
	@scripts/generate

clean:           ## removes build/
	@rm -rf build
