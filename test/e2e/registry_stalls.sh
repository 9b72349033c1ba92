# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# F17, F18: a registry that accepts and does not reply, one that stops within a blob, and one that sends a byte per
# second: an error with the host after two minutes at most; a build that is cancelled meanwhile ends at once.
python3 "$HERE/registry.py" "$WORK/requests" > "$WORK/port" 2> "$WORK/registry.err" &
undo "kill $!"
await test -s "$WORK/port"
HOST=127.0.0.1:$(cat "$WORK/port")
start_daemon
for mode in silent stall drip; do
	mkdir "$WORK/$mode"
	printf 'FROM %s/%s/app\n' "$HOST" $mode > "$WORK/$mode/Dockerfile"
	(
		begin=$(date +%s)
		build "$WORK/$mode" --output type=local,dest="$WORK/out.$mode" > "$WORK/log.$mode" 2>&1 && echo worked >> "$WORK/log.$mode"
		echo "took $(($(date +%s) - begin)) s" >> "$WORK/log.$mode"
	) &
done
sleep 3
mkdir "$WORK/again"
sed 's/silent/silent2/' "$WORK/silent/Dockerfile" > "$WORK/again/Dockerfile"
start_build "$WORK/log.again" "$WORK/again"
sleep 2
begin=$(date +%s)
kill -INT "$CLIENT"
wait_client && fail "a cancelled pull worked"
[ $(($(date +%s) - begin)) -le 5 ] || fail "the cancelled pull went on for $(($(date +%s) - begin)) s"
for mode in silent stall drip; do
	wait_for 'took ' "$WORK/log.$mode" 180
	grep -q "no data from $HOST for 60 s" "$WORK/log.$mode" || { tail -n 5 "$WORK/log.$mode"; fail "$mode: another error"; }
	took=$(sed -n 's/^took \([0-9]*\) s$/\1/p' "$WORK/log.$mode")
	echo "$mode: $took s"
	[ "$took" -le 150 ] || fail "$mode: $took s"
done
alive
no_leftovers
