# SPDX-License-Identifier: Apache-2.0
# F87: a working directory that names descriptors or processes is an error or is inside the step's root; a step has no
# open descriptors except the usual three.
make_context "$WORK/c"
echo secret-of-the-host > "$WORK/canary"
start_daemon
try() { # NAME: runs Dockerfile, whose last step looks for the host through its working directory
	if build "$WORK/c" > "$WORK/log1" 2>&1; then
		echo "$1: inside"
	else
		echo "$1: $(grep '^error: ' "$WORK/log1" || { cat "$WORK/log1"; fail "$1: no error"; })"
	fi
	! grep -q 'secret-of-the-host\|OUTSIDE' "$WORK/log1" || { cat "$WORK/log1"; fail "$1: the host is seen"; }
}
probe='pwd; for up in . .. ../../.. ../../../../../../../..; do [ ! -e $up/'"$WORK"'/canary ] || { echo OUT""SIDE; cat $up/'"$WORK"'/canary; }; done'
for cwd in /proc/self/fd/3 /proc/self/fd/7 /proc/self/fd/9/.. /proc/self/fd /proc/1/root /proc/1/cwd /proc/self/cwd /proc/thread-self/fd/8 /dev/fd/7; do
	{ cat "$WORK/c/base"; echo "WORKDIR $cwd"; echo "RUN $probe"; } > "$WORK/c/Dockerfile"
	try "$cwd"
	{ cat "$WORK/c/base"; echo "RUN ln -s $cwd /link"; echo 'WORKDIR /link'; echo "RUN $probe"; } > "$WORK/c/Dockerfile"
	try "link to $cwd"
	{ cat "$WORK/c/base"; echo "RUN ln -s $cwd /link"; echo 'WORKDIR /link/sub'; echo "RUN $probe"; } > "$WORK/c/Dockerfile"
	try "below a link to $cwd"
done
{ cat "$WORK/c/base"; echo 'RUN for n in $(seq 3 200); do [ ! -e /proc/$$/fd/$n ] || { echo "OPEN $n $(readlink /proc/$$/fd/$n)"; exit 9; }; done'; } \
	> "$WORK/c/Dockerfile"
build "$WORK/c" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "a descriptor is open in the step"; }
alive
no_leftovers
