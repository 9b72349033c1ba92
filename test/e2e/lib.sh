# SPDX-License-Identifier: Apache-2.0
# lib: what end-to-end tests share. Sourced by run.

DAEMON=
export BUILDKIT_HOST="unix://$WORK/sock"

stop_daemon() { # [SIGNAL]
	[ -n "$DAEMON" ] || return 0
	kill "-${1:-TERM}" "$DAEMON" 2>/dev/null || true
	wait "$DAEMON" 2>/dev/null || true
	DAEMON=
}
trap 'stop_daemon KILL' EXIT

start_daemon() { # [ARGS]
	"$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" "$@" 2>> "$WORK/daemon.log" &
	DAEMON=$!
	"$BIN/buildctl" --wait --timeout 20 debug workers > /dev/null || { cat "$WORK/daemon.log"; return 1; }
}

fail() { echo "FAIL: $*"; exit 1; }

# A context whose base is busybox and nothing else.
make_context() { # DIR
	mkdir -p "$1"
	cp "$(command -v busybox)" "$1/busybox"
	cat > "$1/base" <<'DOCKERFILE'
FROM scratch AS base
COPY --chmod=755 busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
DOCKERFILE
}

# build DIR [ARGS]: the Dockerfile DIR/Dockerfile with context DIR, plain progress.
build() {
	dir=$1
	shift
	"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$dir" --local dockerfile="$dir" "$@"
}
