# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Frontend images that crash, hang, flood, lie or leave processes: each costs its build, names the reason and leaves nothing.
start_daemon
cd "$WORK" || exit 1
mkdir fe ctx reports
cc -O1 -static -o fe/frontend "$HERE"/frontend/*.c -lnghttp2 || fail "the frontend does not compile"
printf 'FROM scratch\nCOPY frontend /frontend\nENTRYPOINT ["/frontend"]\n' > fe/Dockerfile
build fe --output type=oci,tar=false,dest=layout > build.log 2>&1 || { cat build.log; fail "image of the frontend"; }
digest=$(sed 's/.*"digest":"\([^"]*\)".*/\1/' layout/index.json)
make_context ctx
cat ctx/base > ctx/Dockerfile
build ctx > build.log 2>&1 || { cat build.log; fail "direct build"; }
gateway() { # gateway MODE ARGS
	mode=$1
	shift
	timeout 60 "$BIN/buildctl" build --progress=plain --frontend=gateway.v0 --opt source=example.com/fe:1 --local context=ctx \
		--local dockerfile=ctx --oci-layout "fe=layout" --opt "context:example.com/fe:1=oci-layout://fe@$digest" \
		--opt "mode=$mode" --opt "nap=$NAP" "$@"
}
gateway wrap > build.log 2>&1 || { cat build.log; fail "a correct frontend"; }
descriptors=$(ls "/proc/$DAEMON/fd" | wc -l)

# Mode and error of the build; "ok": the build succeeds.
closed="frontend grpc server closed unexpectedly: "
nothing="no result for incomplete build"
cat > table <<TABLE
exit0|$nothing
exit3|exit code: 3
crash|exit code: 139
return-hang|ok
return-exit5|exit code: 5
error-exit5|the frontend says no
leak|ok
close-stdout|${closed}error reading from client: EOF
close-stdin|${closed}error writing to client: write: broken pipe
log-flood|ok
log-binary|ok
garbage|${closed}error reading from client: 
garbage-exit|$nothing
http1|${closed}error reading from client: 
silence|${closed}no HTTP/2 preface in time
zeros|${closed}
ping-flood|${closed}
settings-flood|${closed}
reset-flood|${closed}
continuation-flood|${closed}
empty-data-flood|$nothing
window-overflow|${closed}FLOW_CONTROL_ERROR
long-frame|${closed}FRAME_SIZE_ERROR
data-without-stream|${closed}PROTOCOL_ERROR
push-promise|${closed}PROTOCOL_ERROR
bad-hpack|${closed}COMPRESSION_ERROR
large-message|received message larger than max
short-message|the call needs one message: unexpected EOF
compressed|compressed flag set with identity or empty encoding
bad-protobuf|invalid protobuf message: moby.buildkit.v1.frontend.SolveRequest: malformed field tag
unknown-method|unknown method Nothing for service moby.buildkit.v1.frontend.LLBBridge
unknown-service|unknown service moby.buildkit.v1.Control
solve-garbage|failed to load LLB: failed to parse llb proto op:
solve-missing-input|failed to load LLB: invalid missing input digest
solve-both|cannot solve with both Definition and Frontend specified
unknown-frontend|invalid frontend: nothing.v0
network|network.host is not allowed
read-unknown|no such ref: nothing
read-outside|no such file or directory
recursion|ResourceExhausted: more than 16 frontends request each other
breadth|ResourceExhausted: build runs more than 64 frontend images
return-nothing|gateway return must be either result or err
return-both|InvalidArgument: 
return-unknown|return reference nothing not found
return-twice|ok
bad-warning|ok
unknown|exit code: 7
TABLE

row() { # row MODE WANT: writes what is wrong to reports/MODE
	status=0
	gateway "$1" > "reports/$1.log" 2>&1 || status=$?
	if [ "$2" = ok ]; then
		[ $status = 0 ] || { echo "$1: failed"; tail -5 "reports/$1.log"; } > "reports/$1"
	elif [ $status != 1 ] || ! grep -F "error: failed to solve: " "reports/$1.log" | grep -qF -- "$2"; then
		{ echo "$1: status $status, expected \"$2\""; tail -5 "reports/$1.log"; } > "reports/$1"
	fi
}
running_rows=
n=0
while IFS='|' read -r mode want; do
	row "$mode" "$want" &
	running_rows="$running_rows $!"
	n=$((n + 1))
	if [ $((n % 8)) = 0 ]; then
		# shellcheck disable=SC2086
		wait $running_rows
		running_rows=
	fi
done < table
# shellcheck disable=SC2086
[ -z "$running_rows" ] || wait $running_rows
for f in reports/*; do case $f in *.log) ;; *) cat "$f" ;; esac; done > wrong
[ ! -s wrong ] || { cat wrong; fail "see above"; }
alive
if napping; then fail "a process of a frontend is left"; fi
grep -q "output clipped, log limit" reports/log-flood.log || { tail -c 500 reports/log-flood.log; fail "the log of a flood is not clipped"; }

# An exporter refuses a config that is not JSON.
fails "config" build.log gateway bad-config --output type=oci,dest=x.tar

# A hanging frontend ends with its client, also when it never reads what it asked for.
for mode in hang unread; do
	gateway $mode > build.log 2>&1 &
	CLIENT=$!
	await napping
	pkill -TERM -P "$CLIENT" || true
	wait "$CLIENT" || true
	CLIENT=
	for _ in $(seq 100); do
		napping || break
		sleep 0.1
	done
	if napping; then fail "mode $mode outlives its client"; fi
done
for _ in $(seq 100); do
	[ "$(ls "/proc/$DAEMON/fd" | wc -l)" -gt $((descriptors + 4)) ] || break
	sleep 0.1
done
[ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le $((descriptors + 4)) ] || { ls -l "/proc/$DAEMON/fd"; fail "descriptors are left"; }
no_leftovers

# A killed daemon takes its frontends along, and the next one serves.
gateway hang > build.log 2>&1 &
CLIENT=$!
await napping
end_daemon KILL
wait "$CLIENT" || true
CLIENT=
for _ in $(seq 100); do
	napping || break
	sleep 0.1
done
if napping; then fail "a frontend outlives the daemon"; fi
start_daemon
gateway wrap > build.log 2>&1 || { cat build.log; fail "after a crash"; }
no_leftovers
