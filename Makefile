# A thin face over tools/setup, Meson and the scripts: every target can be run by hand as it stands here.
BUILD := build
export QUINCE_BUILD := $(CURDIR)/$(BUILD)

MINUTES ?= 10

.PHONY: all setup demo test test-spec bench fuzz clean distclean format check-format help
.DEFAULT_GOAL := all

all: setup  ## build everything (sets up first; a no-op when that is done)
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD)
	@ninja -C $(BUILD)

setup:  ## install missing packages, fetch the Debian sources it builds
	@tools/setup

demo: all  ## boot httpd, graft flows and pcap onto the running kernel, look at the traffic
	@tools/demo

test: all  ## run every test; ends with "N passed, N failed" (make test ONLY=suite,… for a part)
	@python3 tests/run.py $(if $(ONLY),--only $(ONLY))

test-spec: all  ## the official WebAssembly suite: host, sanitized, ahead of time, ring 0 (WASM_TESTSUITE=DIR)
	@python3 tests/run.py --only spec --tell

bench: all  ## measure against peers (make bench ONLY=boot,size,http for a part)
	@python3 bench/run.py $(if $(ONLY),--only $(ONLY))

fuzz: all  ## look for what two engines do differently, and for crashes (make fuzz MINUTES=n)
	@python3 tests/fuzz/run.py --minutes $(MINUTES)

format:  ## put every C file into the repository's style
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i

check-format:  ## name the C files that are not in the repository's style
	@git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run --Werror

clean:  ## remove what was built; the fetched sources stay
	@[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name third_party -exec rm -rf {} +

distclean:  ## remove everything that is not in git's hands
	@rm -rf $(BUILD)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s%s\n", $$1, $$2 }' Makefile
