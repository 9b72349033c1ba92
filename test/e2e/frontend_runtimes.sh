# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Frontend images on the containerd worker, and on the OCI worker with each other runtime that is installed.
own_mounts
. "$HERE/containerd.inc"
cd "$WORK" || exit 1
mkdir fe ctx
cc -O1 -static -o fe/frontend "$HERE"/frontend/*.c -lnghttp2 || fail "the frontend does not compile"
printf 'FROM scratch\nCOPY frontend /frontend\nENTRYPOINT ["/frontend"]\nWORKDIR /w\n' > fe/Dockerfile
make_context ctx
cat ctx/base > ctx/Dockerfile
gateway() { # gateway MODE ARGS
	mode=$1
	shift
	timeout 60 "$BIN/buildctl" build --progress=plain --frontend=gateway.v0 --opt source=example.com/fe:1 --local context=ctx \
		--local dockerfile=ctx --oci-layout "fe=layout" --opt "context:example.com/fe:1=oci-layout://fe@$digest" \
		--opt "mode=$mode" --opt "nap=$NAP" "$@"
}
gone() {
	for _ in $(seq 100); do
		napping || return 0
		sleep 0.1
	done
	fail "$1"
}

check() { # check NAME: a daemon runs
	rm -rf layout out
	build fe --output type=oci,tar=false,dest=layout > build.log 2>&1 || { cat build.log; fail "$1: image of the frontend"; }
	digest=$(sed 's/.*"digest":"\([^"]*\)".*/\1/' layout/index.json)
	gateway wrap > build.log 2>&1 || { cat build.log; fail "$1: a correct frontend"; }
	gateway env --output type=local,dest=out > build.log 2>&1 || { cat build.log; fail "$1: environment"; }
	grep -qx "cwd /w" out/answer && grep -qx "metadata 1 100400" out/answer && grep -qx "writable 1" out/answer ||
		{ cat out/answer; fail "$1: environment"; }
	gateway leak > build.log 2>&1 || { cat build.log; fail "$1: a frontend that leaves processes"; }
	gone "$1: a process is left"
	fails "exit code: 3" build.log gateway exit3
	fails "the frontend says no" build.log gateway error-exit5
	fails "frontend grpc server closed unexpectedly" build.log gateway garbage
	gone "$1: a process is left after garbage"
	gateway return-hang > build.log 2>&1 || { cat build.log; fail "$1: a frontend that hangs after its result"; }
	gone "$1: a process is left after its result"
	gateway log > build.log 2>&1 || { cat build.log; fail "$1: log"; }
	grep -q "^#[0-9]* [0-9.]* a line of the frontend$" build.log || fail "$1: no log of the frontend: $(cat build.log)"
	gateway hang > build.log 2>&1 &
	CLIENT=$!
	await napping
	pkill -TERM -P "$CLIENT" || true
	wait "$CLIENT" || true
	CLIENT=
	gone "$1: a frontend outlives its client"
	stop_daemon
}

start_containerd
start_containerd_daemon
check containerd
for runtime in $(runtimes); do
	use_runtime "$runtime"
	rm -rf --one-file-system root
	start_daemon
	check $runtime
done
