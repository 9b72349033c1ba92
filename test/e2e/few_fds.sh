# SPDX-License-Identifier: Apache-2.0
# A daemon and clients with a low limit of open files: a result is correct, or there is an error.
mkdir -p "$WORK/c/d/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15"
for i in $(seq 60); do echo "content $i" > "$WORK/c/d/f$i"; done
echo end > "$WORK/c/d/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/end"
printf 'FROM scratch\nCOPY d /d\n' > "$WORK/c/Dockerfile"
hard=$(ulimit -Hn)
ulimit -Sn 96
start_daemon
ulimit -Sn "$hard"
build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "a daemon with 96 open files"; }
diff -r "$WORK/c/d" "$WORK/out/d" || fail "a daemon with 96 open files: wrong result"

right=0
for n in 10 12 14 16 18 20 24 40; do
	rm -rf "$WORK/out"
	for i in $(seq 60); do echo "$n" >> "$WORK/c/d/f$i"; done
	status=0
	(ulimit -n "$n"; build "$WORK/c" --output type=local,dest="$WORK/out") > "$WORK/log" 2>&1 || status=$?
	[ $status != 0 ] || diff -r "$WORK/c/d" "$WORK/out/d" || fail "a client with $n open files: wrong result"
	[ $status != 0 ] || right=$((right + 1))
	echo "client with $n open files: status $status $(grep -m 1 '^error: ' "$WORK/log" | cut -c 1-120)"
done
[ $right -gt 0 ] || fail "no client could build"
alive
