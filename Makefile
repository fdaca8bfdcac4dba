# The front door. The build itself is Meson's; every target installs what it needs first (tools/setup).
BUILD ?= build
PREFIX ?= /usr/local

.PHONY: all setup setup-clients setup-build setup-bench check lint sanitize fuzz bench demo coverage install clean

all: | setup-build
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) -Dprefix=$(PREFIX) >/dev/null
ifneq ($(origin PREFIX),file)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
endif
	@ninja -C $(BUILD)

setup:
	@tools/setup check
setup-clients: | setup
	@tools/setup clients || echo "tools/setup: the large clients could not be installed: their tests are skipped" >&2
setup-build:
	@tools/setup build
setup-bench:
	@tools/setup bench

# Everything CI runs: lint, unit tests, sanitized unit tests, flows, attacks, virtual machine. Last line: N passed, N failed, N skipped.
check: | setup setup-clients
	@/usr/bin/python3 tools/check

lint: | setup
	@/usr/bin/python3 tools/check lint

sanitize: | setup
	@/usr/bin/python3 tools/check sanitized

# Each target for FUZZ_SECONDS; a crash stays in build-fuzz/ and belongs into tests/corpus/<unit>/.
fuzz: | setup
	@tools/fuzz

coverage: | setup
	@tools/coverage

bench: all | setup-bench
	@bench/run

# The main story on real input: a guest boots, installs packages through the gateway, is refused everything else; an agent works in it without a key.
demo: all
	@tools/demo

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-asan build-fuzz build-coverage
