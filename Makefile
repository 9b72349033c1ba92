# SPDX-License-Identifier: Apache-2.0
# A thin front of meson. See CONTRIBUTING.md.
#
#	make demo      install what is needed, build, start a daemon, build a real image, show it
#	make test      install what is needed, build, run every test
#	make build     programs in build/bin/, without the tests

BUILD ?= build/release
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DESTDIR ?=
PREFIX ?= /usr/local
MESON_OPTIONS ?=

.PHONY: build demo test install dist fuzz bench clean setup-build sanitize tsan

build: setup-build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=release -Ddebug=true -Drevision=$(REVISION) --prefix=$(PREFIX) $(MESON_OPTIONS)
	ninja -C $(BUILD) programs
	@mkdir -p build/bin
	@for p in buildkitd buildctl buildkit-runc; do ln -sf ../../$(BUILD)/cmd/$$p/$$p build/bin/$$p; done

setup-build:
	@tools/setup build

demo: build
	@tools/setup demo
	test/demo build/bin

test: build
	@tools/setup dist test
	ninja -C $(BUILD)
	tools/check-layers
	tools/check-cloexec
	tools/check-symbols $(BUILD)
	tools/check-programs $(BUILD)
	meson test -C $(BUILD) --print-errorlogs --no-rebuild
	test/e2e/run build/bin
	test/e2e/walkthrough

# ASan and UBSan build of everything: unit and fuzz-corpus tests, then the end-to-end tests with a daemon, a client and a
# runner that are checked too, for leaks as well. The runner is linked dynamically here, and what it clones for a step is
# checked up to the execve. A report of UBSan alone would let a test pass: it ends the program. GLib's slices would hide
# what is leaked or used too late in its lists, tables and strings.
sanitize: setup-build
	@tools/setup test
	@test -f build/asan/build.ninja || meson setup build/asan -Db_sanitize=address,undefined
	ninja -C build/asan
	@mkdir -p build/asan-bin
	@for p in buildkitd buildctl buildkit-runc; do ln -sf ../asan/cmd/$$p/$$p build/asan-bin/$$p; done
	$(SANITIZERS) meson test -C build/asan --print-errorlogs --no-rebuild --timeout-multiplier 3
	$(SANITIZERS) E2E_SANITIZER=1 E2E_TIMEOUT=400 test/e2e/run build/asan-bin
SANITIZERS = UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 G_SLICE=always-malloc

# Thread sanitizer over the rooms with threads of their own.
TSAN_ROOMS = rpc session solver cache progress fssync registry content executor containerd worker
tsan: setup-build
	@test -f build/tsan/build.ninja || meson setup build/tsan -Db_sanitize=thread
	meson test -C build/tsan --print-errorlogs --timeout-multiplier 5 $(TSAN_ROOMS:%=--suite %)

install: build
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

dist: setup-build
	@tools/setup build dist
	tools/dist dist

# SECONDS a target.
fuzz: setup-build
	tools/fuzz $${SECONDS_EACH:-60}

bench: build
	tools/bench build/bin

clean:
	rm -rf build dist
