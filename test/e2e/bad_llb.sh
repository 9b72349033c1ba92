# SPDX-License-Identifier: Apache-2.0
# F106: invalid definitions and Dockerfiles are reported with an error; the daemon continues.
make_context "$WORK/c"
start_daemon
python3 - "$WORK" <<'PYTHON'
import random, sys
def field(n, payload): return bytes([n << 3 | 2]) + varint(len(payload)) + payload
def varint(v):
    out = b""
    while v > 127: out, v = out + bytes([v & 127 | 128]), v >> 7
    return out + bytes([v])
import hashlib
def definition(*ops): return b"".join(field(1, op) for op in ops)
def digest(op): return b"sha256:" + hashlib.sha256(op).hexdigest().encode()
def source(name): return field(3, field(1, name))
def pointing(d, index=0): return field(1, field(1, d) + (b"\x10" + varint(index) if index else b""))
r = random.Random(3)
local = source(b"local://x")
cases = {
    "random": r.randbytes(400), "zeros": bytes(400), "truncated": definition(local, pointing(digest(local)))[:-7],
    "missing-input": definition(local, pointing(b"sha256:" + b"0" * 64)), "bad-digest": definition(local, pointing(b"sha256:../../x")),
    "index": definition(local, pointing(digest(local), 7)), "big-index": definition(local, pointing(digest(local), 2**63 - 1)),
    "empty-op": definition(b"", pointing(digest(b""))), "no-scheme": definition(source(b"x"), pointing(digest(source(b"x")))),
    "unknown-scheme": definition(source(b"zip://x"), pointing(digest(source(b"zip://x")))),
    "nested": field(1, b"\x1b" * 50000), "group": field(1, b"\x0b" * 1000), "length": b"\x0a\xff\xff\xff\xff\x0f",
    "duplicates": definition(local, local, pointing(digest(local)), pointing(digest(local))),
    "many-inputs": definition(local, pointing(digest(local)) * 20000),
}
chain = [local]
for _ in range(20000): chain.append(pointing(digest(chain[-1])) + field(2, field(1, field(1, b"true")) ))
cases["chain"] = definition(*chain, pointing(digest(chain[-1])))
for name, data in cases.items(): open(f"{sys.argv[1]}/{name}.llb", "wb").write(data)
PYTHON
for file in "$WORK"/*.llb; do
	name=$(basename "$file" .llb)
	status=0
	timeout 20 "$BIN/buildctl" build --progress=plain < "$file" > "$WORK/out" 2>&1 || status=$?
	[ $status = 1 ] || { cat "$WORK/out"; fail "$name: status $status"; }
	grep -q '^error: ' "$WORK/out" || { cat "$WORK/out"; fail "$name: no error"; }
	echo "$name: $(grep -m 1 '^error: ' "$WORK/out" | cut -c 1-150)"
	alive
done
for text in 'NOPE x' 'FROM' 'FROM scratch\nCOPY a' 'FROM scratch\nRUN <<EOT\nx' 'FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b' \
	'FROM scratch\nADD --checksum=x http://127.0.0.1:1/x /' 'FROM ../x' 'FROM scratch\nHEALTHCHECK --interval=x CMD y' '\000\001\002' \
	'# escape=x\nFROM scratch' 'FROM scratch\nENV ${' 'FROM scratch\nCOPY --chown=a:b:c x /'; do
	printf "$text\n" > "$WORK/c/Dockerfile"
	status=0
	timeout 20 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
		> "$WORK/out" 2>&1 || status=$?
	[ $status = 1 ] && grep -q '^error: ' "$WORK/out" || { cat "$WORK/out"; fail "$text: status $status"; }
	echo "$text: $(grep -m 1 '^error: ' "$WORK/out" | cut -c 1-150)"
done
alive
