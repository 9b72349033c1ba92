# SPDX-License-Identifier: Apache-2.0
# Proxy variables with Go's rules: HTTP_PROXY in upper case, for registries, their token servers (requested by the
# client) and http sources; NO_PROXY with a port; ALL_PROXY is ignored and loopback hosts are not proxied.
mkdir -p "$WORK/c" "$WORK/home" "$WORK/files"
export DOCKER_CONFIG="$WORK/home"
unset http_proxy https_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY
echo content > "$WORK/files/file"
port_of() { await test -s "$1"; cat "$1"; }
TARS="$WORK/files" python3 "$HERE/registry.py" "$WORK/requests" > "$WORK/port" 2> "$WORK/registry.err" &
undo "kill $!"
REAL=127.0.0.1:$(port_of "$WORK/port")
python3 "$HERE/proxy.py" "$WORK/proxied" "registry.test:5000=$REAL" "web.test=$REAL" > "$WORK/proxy.port" 2> "$WORK/proxy.err" &
undo "kill $!"
PROXY=127.0.0.1:$(port_of "$WORK/proxy.port")
printf '{"auths":{"registry.test:5000":{"auth":"a2l0OnNlY3JldA=="}}}' > "$WORK/home/config.json"
printf '[registry."registry.test:5000"]\nhttp = true\n' >> "$WORK/buildkitd.toml"
run() { # DOCKERFILE-LINES
	printf '%s\n' "$@" > "$WORK/c/Dockerfile"
	rm -rf "$WORK/out"
	timeout 60 "$BIN/buildctl" build --progress=plain --no-cache --frontend=dockerfile.v0 --local context="$WORK/c" \
		--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1
}
export HTTP_PROXY="http://user:word@$PROXY"
start_daemon
run 'FROM registry.test:5000/auth-token/app' 'ADD http://web.test/files/file /file' || { cat "$WORK/log1"; fail "no build through the proxy"; }
[ "$(cat "$WORK/out/name" "$WORK/out/file")" = auth-tokencontent ] || fail "wrong bytes"
# The request has the whole URL and the proxy's credentials; the client fetched the token through the proxy, too.
for line in 'GET http://web.test/files/file Basic dXNlcjp3b3Jk' 'HEAD http://registry.test:5000/v2/auth-token/app/manifests/latest Basic dXNlcjp3b3Jk' \
	'POST http://registry.test:5000/token/auth-token Basic dXNlcjp3b3Jk'; do
	grep -qF -- "$line" "$WORK/proxied" || { cat "$WORK/proxied"; fail "the proxy was not asked: $line"; }
done
# The proxy refuses unknown hosts; HTTP_PROXY does not apply to https.
if run 'FROM scratch' 'ADD http://other.test/x /'; then fail "no error of the proxy"; fi
grep -qF 'invalid response status 403' "$WORK/log1" || { cat "$WORK/log1"; fail "no status of the proxy"; }
run 'FROM scratch' "ADD http://$REAL/files/file /file" || { cat "$WORK/log1"; fail "a loopback address through the proxy"; }
! grep -qF "http://$REAL" "$WORK/proxied" || fail "a loopback address was proxied"
stop_daemon
# Exceptions, and hosts that are not exceptions.
export NO_PROXY=web.test:80,10.0.0.0/8
export ALL_PROXY="http://$PROXY"
start_daemon
: > "$WORK/proxied"
if run 'FROM scratch' 'ADD http://web.test/files/file /'; then fail "NO_PROXY with a port does not count"; fi
grep -qF 'lookup web.test: no such host' "$WORK/log1" || { cat "$WORK/log1"; fail "web.test was asked otherwise"; }
if run 'FROM scratch' 'ADD https://web.test/files/file /'; then fail "ALL_PROXY counts"; fi
grep -qF 'lookup web.test: no such host' "$WORK/log1" || { cat "$WORK/log1"; fail "ALL_PROXY was used"; }
[ ! -s "$WORK/proxied" ] || { cat "$WORK/proxied"; fail "the proxy was asked"; }
stop_daemon
export HTTPS_PROXY="$PROXY" NO_PROXY=
start_daemon
if run 'FROM scratch' 'ADD https://web.test/files/file /'; then fail "no error"; fi
grep -qF 'CONNECT web.test:443 -' "$WORK/proxied" || { cat "$WORK/proxied"; fail "no CONNECT"; }
grep -qF "proxy http://$PROXY refuses the connection to web.test:443: status 403" "$WORK/log1" || { cat "$WORK/log1"; fail "no reason"; }
alive
no_leftovers
