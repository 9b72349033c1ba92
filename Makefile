# SPDX-License-Identifier: Apache-2.0
# Runs meson and the scripts of the project. See CONTRIBUTING.md.
#
#	make demo      install packages, build, start a daemon, build an image, show it
#	make test      install packages, build, run every test
#	make setup     install the packages that the other targets need (Debian 12, as root)
#	make build     programs in build/bin/, without the tests; installs nothing
#	make lint      check format, scripts, layers, symbols, examples, documents

BUILD ?= build/release
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DESTDIR ?=
PREFIX ?= /usr/local
MESON_OPTIONS ?=
# Passed to meson, also for a build directory that exists. Continuous integration sets it: WERROR=true.
WERROR ?=

.PHONY: build setup demo test lint check-clang coverage install dist image cross deb test-packages test-release fuzz bench clean sanitize tsan

build:
	@tools/setup --check build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=release -Ddebug=true -Drevision=$(REVISION) \
		--prefix=$(PREFIX) $(WERROR:%=-Dwerror=%) $(MESON_OPTIONS)
	@test -z "$(WERROR)" || meson configure $(BUILD) -Dwerror=$(WERROR)
	ninja -C $(BUILD) programs
	@mkdir -p build/bin
	@for p in buildkitd buildctl buildkit-runc; do ln -sf ../../$(BUILD)/cmd/$$p/$$p build/bin/$$p; done

setup:
	@tools/setup build dist image deb demo test lint

demo:
	@tools/setup build demo
	@$(MAKE) build
	test/demo build/bin

test:
	@tools/setup build dist image deb test
	@$(MAKE) build
	ninja -C $(BUILD)
	meson test -C $(BUILD) --print-errorlogs --no-rebuild
	test/e2e/run build/bin
	test/e2e/walkthrough
	test/e2e/release
	test/e2e/packages
	test/e2e/image

# Needs the programs: some checks read their symbols and their help.
lint:
	@tools/setup build lint
	@$(MAKE) build
	tools/lint $(BUILD)

# The programs with the other compiler, warnings as errors; nothing is run.
check-clang:
	@tools/setup build lint
	@test -f build/clang/build.ninja || CC=clang meson setup build/clang --buildtype=debug -Dtests=false -Dwerror=true
	ninja -C build/clang

# Line coverage of src and cmd by the unit tests and the fuzz corpus; build/coverage/index.html has the lines.
coverage:
	@tools/setup build test lint
	tools/coverage build/coverage

# ASan and UBSan build of everything: unit and fuzz-corpus tests, then the end-to-end tests with a daemon, a client and a
# runner that are checked too, for leaks as well. The runner is linked dynamically here, and what it clones for a step is
# checked up to the execve. A report of UBSan alone would let a test pass: it ends the program. GLib's slices would hide
# what is leaked or used too late in its lists, tables and strings.
sanitize:
	@tools/setup build test
	@test -f build/asan/build.ninja || meson setup build/asan -Db_sanitize=address,undefined
	ninja -C build/asan
	@mkdir -p build/asan-bin
	@for p in buildkitd buildctl buildkit-runc; do ln -sf ../asan/cmd/$$p/$$p build/asan-bin/$$p; done
	$(SANITIZERS) meson test -C build/asan --print-errorlogs --no-rebuild --timeout-multiplier 3
	$(SANITIZERS) E2E_SANITIZER=1 E2E_TIMEOUT=900 test/e2e/run build/asan-bin
SANITIZERS = UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 G_SLICE=always-malloc

# Thread sanitizer over the modules that start threads.
TSAN_MODULES = rpc session solver cache progress fssync registry content network executor containerd worker
tsan:
	@tools/setup build
	@test -f build/tsan/build.ninja || meson setup build/tsan -Db_sanitize=thread
	meson test -C build/tsan --print-errorlogs --timeout-multiplier 5 $(TSAN_MODULES:%=--suite %)

install: build
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

# ARCH=arm64: on another architecture.
dist:
	@tools/setup --check build dist $(if $(ARCH),cross)
	tools/dist dist $(ARCH)

# The container image in dist/, as an OCI archive and a docker archive; IMAGE is its name (docs/image.md). Needs root.
image:
	@tools/setup --check build dist image
	packaging/image/build dist

# For arm64 on another architecture: programs, unit tests, and the client of the release tarball, under qemu-user (tools/cross).
CROSS_MODULES = base format db runner api oci llb
# qemu-user has neither limits of threads nor system call filters.
CROSS_EXCLUDED = base_thread|runner_syscall_filter
cross:
	@tools/setup --check build dist cross
	@$(MAKE) build
	tools/cross build/arm64 --buildtype=release -Disal=disabled -Drevision=$(REVISION)
	ninja -C build/arm64 programs
	ninja -C build/arm64 $$(ninja -C build/arm64 -t targets all | sed -n 's,^\(test/unit_[^:]*\): c_LINKER.*,\1,p' | \
		grep -E '^test/unit_($(shell echo $(CROSS_MODULES) | tr ' ' '|'))_' | grep -vE '_($(CROSS_EXCLUDED))$$')
	test/cross build/bin build/arm64 '^unit_($(CROSS_EXCLUDED))$$'

# Debian packages in dist/, without an error of lintian; see debian/.
deb:
	@tools/setup --check build deb
	tools/deb dist

# The release on an older and a newer glibc, too, and the same bytes from two builds.
test-release:
	test/e2e/release bullseye sid
	test/e2e/reproducible dist

# What takes too long for "make test": the packages of this Debian on Debian 13, and packages that Debian 13 builds.
test-packages: deb
	test/e2e/packages bookworm dist
	test/e2e/packages trixie dist
	DEB_SUFFIX=+deb13u1 test/e2e/packages-build trixie dist/trixie
	test/e2e/packages trixie dist/trixie
	test/e2e/reproducible deb

# SECONDS_EACH a target.
fuzz:
	@tools/setup build lint
	tools/fuzz $${SECONDS_EACH:-60}

bench: build
	tools/bench build/bin

clean:
	rm -rf build dist
