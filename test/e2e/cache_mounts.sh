# SPDX-License-Identifier: Apache-2.0
# Cache mounts are kept between builds; locked ones are exclusive, private ones separate, shared ones common.
make_context "$WORK/c"
start_daemon
{ cat "$WORK/c/base"; echo 'ARG N'; echo 'RUN --mount=type=cache,id=keep,target=/k echo $N >> /k/f; cp /k/f /f'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --opt build-arg:N=1 2> /dev/null
build "$WORK/c" --opt build-arg:N=2 --output type=local,dest="$WORK/out" 2> /dev/null
[ "$(tr '\n' ' ' < "$WORK/out/f")" = '1 2 ' ] || { cat "$WORK/out/f"; fail "the mount does not last"; }
[ -z "$(ls -A "$WORK/out/k" 2> /dev/null)" ] || fail "the mount is in the result"
three() { # SHARING
	{ cat "$WORK/c/base"; echo 'ARG N'; echo "RUN --mount=type=cache,id=$1,target=/k,sharing=$1 : $1; mkdir /k/in 2>/dev/null && echo alone > /r || echo other > /r; ls /k > /l; sleep 1.5; rmdir /k/in || true"; } \
		> "$WORK/c/Dockerfile"
	pids=
	for i in 1 2 3; do
		build "$WORK/c" --opt "build-arg:N=$i" --output type=local,dest="$WORK/$1$i" > "$WORK/p$1$i" 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || { tail -n 8 "$WORK"/p*; fail "sharing=$1"; }; done
	cat "$WORK/$1"?/r | grep -c alone || true
}
[ "$(three locked)" = 3 ] || fail "locked mounts were shared"
[ "$(three private)" = 3 ] || fail "private mounts were shared"
[ "$(three shared)" = 1 ] || { tail -n 30 "$WORK"/pshared?; cat "$WORK"/shared?/r; fail "shared mounts were apart"; }
"$BIN/buildctl" du -v | grep -q 'exec.cachemount' || fail "du does not show cache mounts"
"$BIN/buildctl" prune --filter type==exec.cachemount > /dev/null
"$BIN/buildctl" du -v | grep -q 'exec.cachemount' && fail "prune by type"
# ids are names, not paths
{ cat "$WORK/c/base"; echo 'RUN --mount=type=cache,id=../../../../../x,target=/k echo y > /k/y'; } > "$WORK/c/Dockerfile"
build "$WORK/c" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "an id with dots"; }
no_leftovers
