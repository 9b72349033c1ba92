# SPDX-License-Identifier: Apache-2.0
# Traps of docs/traps.md that need running steps: mounts, secrets, exit codes and directories.
make_context "$WORK/c"
printf s3cret > "$WORK/secret"
start_daemon
dockerfile() { { cat "$WORK/c/base"; cat; } > "$WORK/c/Dockerfile"; }
good() { build "$WORK/c" "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "trap $trap"; }; }
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "trap $trap: got \"$1\", not \"$2\""; }; }
# llb ARGS: prints the definition for the JSON on standard input
llb() { python3 "$HERE/llb.py" > "$WORK/llb"; "$BIN/buildctl" build --progress=plain --local context="$WORK/c" "$@" < "$WORK/llb" > "$WORK/said" 2>&1; }
root='{"source":{"identifier":"local://context"}}'

trap=7 # an index from the number of inputs on is an earlier action, -1 is scratch
llb --output type=local,dest="$WORK/o7" <<JSON || { cat "$WORK/said"; fail "trap 7"; }
{"ops": [{"file": {"actions": [
	{"input": -1, "secondaryInput": -1, "output": -1, "mkfile": {"path": "/a", "mode": 420, "data": "one", "timestamp": -1}},
	{"input": -1, "secondaryInput": 0, "output": -1, "copy": {"src": "/a", "dest": "/b", "mode": -1, "timestamp": -1}},
	{"input": 1, "secondaryInput": -1, "output": 0, "mkfile": {"path": "/c", "mode": 420, "data": "two", "timestamp": -1}}]}}],
 "result": [0, 0]}
JSON
is "$(ls "$WORK/o7" | tr '\n' ' ')" 'b c '
is "$(cat "$WORK/o7/b" "$WORK/o7/c")" onetwo

trap=8 # secrets have output 0 on the wire and are no result
run() { # ARGS-AS-JSON MORE-MOUNTS MORE-META
	cat <<JSON
{"ops": [$root, {"in": [[0, 0]], "exec": {"meta": {"args": $1, "cwd": "/" $3},
	"mounts": [{"dest": "/", "output": 0} $2]}}], "result": [1, 0]}
JSON
}
run '["/busybox", "sh", "-c", "/busybox cat /s > /copy"]' ', {"input": -1, "dest": "/s", "mountType": 1, "secretOpt": {"ID": "s", "mode": 256}}' '' |
	llb --secret id=s,src="$WORK/secret" --output type=local,dest="$WORK/o8" || { cat "$WORK/said"; fail "trap 8"; }
is "$(cat "$WORK/o8/copy")" s3cret

trap=39 # valid exit codes replace 0
run '["/busybox", "sh", "-c", "exit 3"]' '' ', "validExitCodes": [3, 4]' | llb || { cat "$WORK/said"; fail "trap 39"; }
! run '["/busybox", "true"]' '' ', "validExitCodes": [3]' | llb || fail "trap 39: exit 0"
grep -q 'did not complete successfully: exit code: 0' "$WORK/said" || { cat "$WORK/said"; fail "trap 39: text"; }

trap=40 # an optional secret that is not there still sets its variable
dockerfile <<'DOCKERFILE'
RUN --mount=type=secret,id=none,env=GONE echo "${GONE-unset}:" > /value
DOCKERFILE
good --output type=local,dest="$WORK/o40"
is "$(cat "$WORK/o40/value")" :

trap=41 # secrets are noexec unless their mode says that they can be run
dockerfile <<'DOCKERFILE'
RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/x,mode=0500 \
	for f in /run/secrets/s /x; do grep " $f " /proc/mounts | grep -c noexec || [ $? = 1 ]; done > /counts
DOCKERFILE
good --secret id=s,src="$WORK/secret" --output type=local,dest="$WORK/o41"
is "$(tr '\n' ' ' < "$WORK/o41/counts")" '1 0 '

trap=42 # private mounts leave several records under one id, and one that is free is used again
dockerfile <<'DOCKERFILE'
ARG N
RUN --mount=type=cache,id=p,target=/k,sharing=private echo $N; for i in 1 2 3 4 5 6 7 8; do sleep .25; done
DOCKERFILE
for n in 1 2; do
	start_build "$WORK/said$n" "$WORK/c" --opt build-arg:N=$n
	eval "client$n=$CLIENT"
done
for pid in $client1 $client2; do wait "$pid" || { cat "$WORK"/said?; fail "trap 42"; }; done
CLIENT=
mounts() { "$BIN/buildctl" du --filter type==exec.cachemount | grep -c '^[a-z0-9]\{20,\}' || true; }
is "$(mounts)" 2
good --opt build-arg:N=3
is "$(mounts)" 2

trap=43 # --no-cache empties the cache mounts of its steps before they run
dockerfile <<'DOCKERFILE'
RUN --mount=type=cache,id=w,target=/k ls /k > /seen; echo x > /k/x
DOCKERFILE
good --output type=local,dest="$WORK/o43"
good --no-cache --output type=local,dest="$WORK/o43"
is "$(cat "$WORK/o43/seen")" ''

trap=59 # unknown names: an error for steps, 0 for files
dockerfile <<'DOCKERFILE'
USER nobodyknows
RUN true
DOCKERFILE
fails 'unable to find user nobodyknows' "$WORK/said" build "$WORK/c"
llb --output type=local,dest="$WORK/o59" <<JSON || { cat "$WORK/said"; fail "trap 59"; }
{"ops": [$root, {"in": [[0, 0]], "file": {"actions": [{"input": 0, "secondaryInput": -1, "output": 0,
	"mkfile": {"path": "/n", "mode": 420, "data": "n", "timestamp": -1,
	 "owner": {"user": {"byName": {"name": "nobodyknows", "input": 0}}}}}]}}], "result": [1, 0]}
JSON
is "$(stat -c '%u:%g' "$WORK/o59/n")" 0:0

trap=60 # the working directory is part of the result, mount points are not, and their parents keep their times
dockerfile <<'DOCKERFILE'
COPY --chmod=755 busybox /keep/f
RUN --mount=type=tmpfs,target=/keep/stub touch -d '2001-01-01 00:00:00' /keep
WORKDIR /
RUN --mount=type=tmpfs,target=/keep/stub --mount=type=tmpfs,target=/new/deep/stub true
DOCKERFILE
good --output type=local,dest="$WORK/o60"
is "$(ls "$WORK/o60/keep")" f
[ ! -e "$WORK/o60/new" ] || fail "trap 60: mount points are left"
is "$(date -u -r "$WORK/o60/keep" +%Y)" 2001
run '["/busybox", "true"]' '' ', "user": "7:8"' | sed 's|"cwd": "/"|"cwd": "/made/here"|' | llb --output type=local,dest="$WORK/o60b" ||
	{ cat "$WORK/said"; fail "trap 60: cwd"; }
is "$(stat -c %F "$WORK/o60b/made/here")" directory
no_leftovers
