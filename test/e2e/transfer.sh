# SPDX-License-Identifier: Apache-2.0
# A context of 1 GB in 12,000 small and large files is exported as type=local.
make_context "$WORK/c"
[ "$(df -k --output=avail "$WORK" | tail -n 1)" -gt 6000000 ] || skip "needs 6 GB of disk"
python3 - "$WORK/c/data" <<'PYTHON'
import os, sys
root = sys.argv[1]
block = os.urandom(1 << 20)
for i in range(12000):
    folder = f"{root}/d{i % 97}/e{i % 7}"
    os.makedirs(folder, exist_ok=True)
    size = 85_000_000 if i % 1200 == 7 else (i * 2654435761) % 25_000
    with open(f"{folder}/f{i}", "wb") as f:
        f.write(i.to_bytes(4, "big"))
        while size > 0:
            f.write(block[:size])
            size -= len(block)
PYTHON
printf 'FROM scratch\nCOPY data /data\n' > "$WORK/c/Dockerfile"
start_daemon
timeout $((80 + ${E2E_SANITIZER:-0} * 720)) "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	--output type=local,dest="$WORK/out" > "$WORK/first" 2>&1 || { tail "$WORK/first"; fail "transfer"; }
[ "$(find "$WORK/out" -type f | wc -l)" = 12000 ] || fail "files are missing"
diff -r "$WORK/c/data" "$WORK/out/data" || fail "other bytes came back"
