# SPDX-License-Identifier: Apache-2.0
# 32 equal builds at once run a step once.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN sleep 1; cp /proc/sys/kernel/random/uuid /stamp'; echo 'FROM scratch'; echo 'COPY --from=base /stamp /'; } \
	> "$WORK/c/Dockerfile"
start_daemon
pids=
for i in $(seq 32); do
	build "$WORK/c" --output type=local,dest="$WORK/out$i" > "$WORK/p$i" 2>&1 &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || { tail -n 5 "$WORK"/p*; fail "a concurrent build"; }
done
[ "$(cat "$WORK"/out*/stamp | sort -u | wc -l)" = 1 ] || { cat "$WORK"/out*/stamp; fail "the step ran more than once"; }
[ "$(cat "$WORK"/out*/stamp | wc -l)" = 32 ] || fail "results are missing"
no_leftovers
