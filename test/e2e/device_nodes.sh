# SPDX-License-Identifier: Apache-2.0
# A step leaves device nodes in its tree: other steps may use them, but the daemon neither writes to nor reads from them.
make_context "$WORK/c"
start_daemon
{ cat "$WORK/c/base"; printf 'RUN mknod /null c 1 3 && echo x > /null && mkfifo /fifo\nRUN echo again > /null && [ ! -s /null ]\n'
  printf 'FROM scratch\nCOPY --from=base /null /fifo /to/\n'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --output type=tar,dest="$WORK/out.tar" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "device nodes in steps and COPY"; }
tar -tvf "$WORK/out.tar" | grep -q '^crw.* 1,3 .* to/null$' || { tar -tvf "$WORK/out.tar"; fail "the node was not copied"; }

# mkfile over the node of a step: an error, not a write to the device.
for node in null fifo; do
	python3 "$HERE/llb.py" > "$WORK/$node.llb" <<JSON
{"ops": [{"source": {"identifier": "local://context"}},
         {"in": [[0, 0]], "file": {"actions": [{"input": -1, "secondaryInput": 0, "output": 0, "copy":
             {"src": "/busybox", "dest": "/bin/busybox", "createDestPath": true, "mode": 493, "timestamp": -1}}]}},
         {"in": [[1, 0]], "exec": {"meta": {"args": ["/bin/busybox", "sh", "-c",
             "busybox mknod /null c 1 3; busybox mkfifo /fifo"], "env": ["PATH=/bin"], "cwd": "/"},
             "mounts": [{"input": 0, "dest": "/", "output": 0}]}},
         {"in": [[2, 0]], "file": {"actions": [{"input": 0, "secondaryInput": -1, "output": 0, "mkfile":
             {"path": "/$node", "mode": 420, "data": "text", "timestamp": -1}}]}}],
 "result": [3, 0]}
JSON
	status=0
	timeout 60 "$BIN/buildctl" build --progress=plain --local context="$WORK/c" < "$WORK/$node.llb" > "$WORK/log" 2>&1 || status=$?
	[ $status = 1 ] && grep -q "^error: .*open /$node: not a regular file" "$WORK/log" || { cat "$WORK/log"; fail "mkfile over $node: status $status"; }
done
alive
