# SPDX-License-Identifier: Apache-2.0
# F73: registries with TLS: a private CA, a self-signed, expired or foreign certificate, one that requires a client
# certificate, TLS 1.1; errors are reported, and nothing is sent unencrypted.
mkdir "$WORK/c" "$WORK/pki" "$WORK/home"
export DOCKER_CONFIG="$WORK/home"
cd "$WORK/pki"
authority() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.crt" -days 2 -subj "/CN=$1" 2> /dev/null
}
certificate() { # NAME AUTHORITY ALTNAME [DAYS]
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2> /dev/null
	printf 'subjectAltName=%s\n' "$3" > "$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -out "$1.crt" -days "${4:-2}" -extfile "$1.ext" 2> /dev/null
}
authority ours
authority theirs
certificate good ours IP:127.0.0.1
certificate elsewhere ours DNS:registry.example
certificate expired ours IP:127.0.0.1 -1
certificate foreign theirs IP:127.0.0.1
certificate client ours DNS:client
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout self.key -out self.crt -days 2 -subj /CN=127.0.0.1 \
	-addext subjectAltName=IP:127.0.0.1 2> /dev/null
[ "$(openssl x509 -in expired.crt -noout -checkend 0 || true)" = 'Certificate will expire' ] || fail "the expired certificate is not"
cd "$WORK"
serve() { # NAME ARGS...: a registry; its address in $WORK/NAME.host
	name=$1
	shift
	python3 "$HERE/registry.py" "$WORK/$name.requests" "$@" > "$WORK/$name.port" 2> "$WORK/$name.err" &
	undo "kill $!"
	await test -s "$WORK/$name.port"
	echo "127.0.0.1:$(cat "$WORK/$name.port")" > "$WORK/$name.host"
}
host() { cat "$WORK/$1.host"; }
for name in good elsewhere expired foreign self; do
	serve "$name" --tls "$WORK/pki/$name.crt" "$WORK/pki/$name.key"
done
serve mutual --tls "$WORK/pki/good.crt" "$WORK/pki/good.key" --client-ca "$WORK/pki/ours.crt"
serve nocert --tls "$WORK/pki/good.crt" "$WORK/pki/good.key" --client-ca "$WORK/pki/ours.crt"
serve old --tls "$WORK/pki/good.crt" "$WORK/pki/good.key" --tls-max 1.1
serve lax --tls "$WORK/pki/self.crt" "$WORK/pki/self.key"
serve plain
serve tlsonly --tls "$WORK/pki/good.crt" "$WORK/pki/good.key"
{
	for name in good elsewhere expired foreign self old nocert plain; do
		printf '[registry."%s"]\nhttp = false\nca = ["%s"]\n' "$(host $name)" "$WORK/pki/ours.crt"
	done
	printf '[registry."%s"]\nhttp = false\nca = ["%s"]\n[[registry."%s".keypair]]\nkey = "%s"\ncert = "%s"\n' "$(host mutual)" \
		"$WORK/pki/ours.crt" "$(host mutual)" "$WORK/pki/client.key" "$WORK/pki/client.crt"
	printf '[registry."%s"]\nhttp = false\ninsecure = true\n' "$(host lax)"
} >> "$WORK/buildkitd.toml"
# Credentials exist for all of them.
python3 - "$WORK" > "$WORK/home/config.json" <<'PYTHON'
import glob, json, sys
hosts = [open(f).read().strip() for f in glob.glob(sys.argv[1] + "/*.host")]
print(json.dumps({"auths": {h: {"auth": "a2l0OnNlY3JldA=="} for h in hosts}}))
PYTHON
start_daemon
pull() { # NAME
	printf 'FROM %s/auth-basic/app\n' "$(host "$1")" > "$WORK/c/Dockerfile"
	rm -rf "$WORK/out"
	timeout 30 "$BIN/buildctl" build --progress=plain --no-cache --frontend=dockerfile.v0 --local context="$WORK/c" \
		--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1
}
for name in good mutual lax; do
	pull $name || { cat "$WORK/log1"; fail "$name"; }
	[ "$(cat "$WORK/out/name")" = auth-basic ] || fail "$name: wrong bytes"
	echo "$name: fine"
done
while read -r name text; do
	if pull "$name"; then fail "$name: taken"; fi
	grep -qiE "$text" "$WORK/log1" || { tail -n 3 "$WORK/log1"; fail "$name: no \"$text\""; }
	echo "$name: $(grep '^error: ' "$WORK/log1" | sed 's/.*: Head/Head/')"
	[ ! -s "$WORK/$name.requests" ] || { cat "$WORK/$name.requests"; fail "$name: a request was sent"; }
done <<'TABLE'
elsewhere subject name|subjectAltName|does not match
expired expired
foreign unable to get local issuer|self-signed
self self-signed
nocert certificate required|tls: |broken pipe|connection reset|EOF
old protocol version|unsupported protocol|tls: 
plain gave HTTP response to HTTPS client
tlsonly uses TLS: set http = false
TABLE
alive
