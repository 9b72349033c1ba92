# SPDX-License-Identifier: Apache-2.0
# 32 clients with overlapping graphs: common steps run once, other steps once per client. A client that disconnects
# cancels only its own step. A common step that fails, fails for all, and the next build runs it again.
make_context "$WORK/c"
start_daemon
mkdir "$WORK/p"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
RUN sleep 1; cp /proc/sys/kernel/random/uuid /stamp
FROM base AS group
ARG GROUP
RUN echo $GROUP; sleep .3; cp /proc/sys/kernel/random/uuid /group
FROM group
ARG OWN
RUN echo $OWN; cp /proc/sys/kernel/random/uuid /own
DOCKERFILE
} > "$WORK/c/Dockerfile"
client() { # N: in the background
	"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
		--opt build-arg:GROUP=$(($1 % 4)) --opt build-arg:OWN="$1" --output type=local,dest="$WORK/o$1" > "$WORK/p/$1" 2>&1 &
}
pids=
for i in $(seq 32); do
	client "$i"
	if [ "$i" = 32 ]; then leaver=$!; else pids="$pids $!"; fi
done
# One client disconnects while the common step runs.
await grep -q 'RUN sleep 1' "$WORK"/p/*
kill -INT $leaver
wait $leaver && fail "the one who left ended well"
for pid in $pids; do wait "$pid" || { tail -n 5 "$WORK"/p/*; fail "a concurrent build"; }; done
different() { cat "$WORK"/o*/"$1" | sort -u | wc -l; }
[ "$(different stamp) $(different group) $(different own)" = "1 4 31" ] || fail "runs: $(different stamp) $(different group) $(different own)"
no_leftovers

{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
ARG WAY=0
RUN --mount=type=bind,source=way,target=/way --mount=type=cache,id=count,target=/k \
	echo run >> /k/runs; cp /k/runs /runs; sleep 1; test "$(cat /way)" = good
ARG OWN
RUN echo $OWN
DOCKERFILE
} > "$WORK/c/Dockerfile"
echo bad > "$WORK/c/way"
pids=
for i in $(seq 8); do client "$i"; pids="$pids $!"; done
for pid in $pids; do ! wait "$pid" || fail "a build of a failing step ended well"; done
for i in $(seq 8); do grep -q 'exit code: 1' "$WORK/p/$i" || { cat "$WORK/p/$i"; fail "client $i has another error"; }; done
echo good > "$WORK/c/way"
build "$WORK/c" --output type=local,dest="$WORK/again" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "the next build"; }
# Builds that began after the failure ran the step again; those that waited for it did not.
[ "$(wc -l < "$WORK/again/runs")" -lt 9 ] || fail "every client ran the shared step: $(wc -l < "$WORK/again/runs")"
echo bad > "$WORK/c/way"
! build "$WORK/c" --opt build-arg:WAY=1 > "$WORK/said" 2>&1 || fail "should fail"
! build "$WORK/c" --opt build-arg:WAY=1 > "$WORK/said" 2>&1 || fail "should fail"
echo good > "$WORK/c/way"
build "$WORK/c" --opt build-arg:WAY=1 --output type=local,dest="$WORK/last" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "a step that failed before"; }
[ "$(($(wc -l < "$WORK/last/runs") - $(wc -l < "$WORK/again/runs")))" = 3 ] || fail "a failure was remembered"
no_leftovers
