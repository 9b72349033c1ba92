# SPDX-License-Identifier: Apache-2.0
# CA certificates: daemon and client find the distribution's bundle, SSL_CERT_FILE and SSL_CERT_DIR, and use them for
# registries, token servers and http sources.
own_mounts
mkdir -p "$WORK/pki" "$WORK/home" "$WORK/c"
export DOCKER_CONFIG="$WORK/home"
unset SSL_CERT_FILE SSL_CERT_DIR
cd "$WORK/pki"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca 2> /dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout host.key -out host.csr -subj /CN=host 2> /dev/null
printf 'subjectAltName=IP:127.0.0.1\n' > host.ext
openssl x509 -req -in host.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out host.crt -days 2 -extfile host.ext 2> /dev/null
cd "$WORK"
mkdir "$WORK/files"
echo content > "$WORK/files/file"
TARS="$WORK/files" python3 "$HERE/registry.py" "$WORK/requests" --tls "$WORK/pki/host.crt" "$WORK/pki/host.key" > "$WORK/port" 2> "$WORK/registry.err" &
undo "kill $!"
await test -s "$WORK/port"
HOST=127.0.0.1:$(cat "$WORK/port")
printf '{"auths":{"%s":{"auth":"a2l0OnNlY3JldA=="}}}' "$HOST" > "$WORK/home/config.json"
printf '[registry."%s"]\nhttp = false\n' "$HOST" >> "$WORK/buildkitd.toml"
printf 'FROM %s/auth-token/app\nADD https://%s/files/file /file\n' "$HOST" "$HOST" > "$WORK/c/Dockerfile"
# A private /etc without the bundles of this system.
mkdir "$WORK/upper" "$WORK/overlay"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$WORK/upper,workdir=$WORK/overlay" /etc
undo "umount /etc"
pull() {
	rm -rf "$WORK/out"
	timeout 60 "$BIN/buildctl" build --progress=plain --no-cache --frontend=dockerfile.v0 --local context="$WORK/c" \
		--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1
}
works() { # WHERE
	start_daemon
	pull || { tail -n 20 "$WORK/log1"; fail "$1"; }
	[ "$(cat "$WORK/out/name" "$WORK/out/file")" = "auth-tokencontent" ] || fail "$1: wrong bytes"
	"$BIN/buildctl" prune --all > /dev/null
	stop_daemon
	echo "$1: fine"
}
# A bundle and a directory; unit/os/ca_roots tests all locations.
for place in pki/tls/certs/ca-bundle.crt ssl/certs/one.pem; do
	rm -rf /etc/ssl /etc/pki
	mkdir -p "/etc/$(dirname "$place")"
	cp "$WORK/pki/ca.crt" "/etc/$place"
	works "/etc/$place"
done
rm -rf /etc/ssl /etc/pki
start_daemon
if pull; then fail "an unknown authority was taken"; fi
grep -qF "certificate signed by unknown authority" "$WORK/log1" || { tail -n 5 "$WORK/log1"; fail "no reason"; }
grep -qF "this machine has no CA certificates" "$WORK/log1" || { tail -n 5 "$WORK/log1"; fail "no hint"; }
stop_daemon
mkdir "$WORK/dir"
cp "$WORK/pki/ca.crt" "$WORK/dir/0"
export SSL_CERT_DIR="/nonexistent:$WORK/dir"
works SSL_CERT_DIR
