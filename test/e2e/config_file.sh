# SPDX-License-Identifier: Apache-2.0
# buildkitd.toml: all keys are accepted, keys without effect are reported once, sizes and durations have all forms,
# flags override the file.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
workers() { "$BIN/buildctl" debug workers -v > "$WORK/workers"; }
# shows TEXT...: each is a pattern that a line of the verbose listing must match.
shows() {
	workers
	for text in "$@"; do grep -q "$text" "$WORK/workers" || { cat "$WORK/workers"; fail "no $text"; }; done
}
config() { cat > "$WORK/buildkitd.toml"; }
one() { [ "$(grep -cF -- "$1" "$WORK/daemon.log")" = 1 ] || { cat "$WORK/daemon.log"; fail "not once in the log: $1"; }; }

# All keys. Each key without effect is reported once, and no other.
config <<TOML
root = "$WORK/root"
debug = false
trace = false
explainMisses = true
insecure-entitlements = ["network.host", "security.insecure"]
proxyNetwork = false
provenanceEnvDir = "$WORK/none"
unknown = "ignored"
[log]
  format = "text"
  level = "info"
[grpc]
  address = ["unix://$WORK/sock", "unix://$WORK/second"]
  debugAddress = ""
  uid = 0
  gid = 0
[otel]
  socketPath = "$WORK/otel"
[cdi]
  disabled = true
  specDirs = ["/etc/cdi"]
  autoAllowed = []
[dns]
  nameservers = ["192.0.2.1"]
  options = ["edns0"]
  searchDomains = ["example.com"]
[history]
  maxAge = 172800
  maxEntries = 50
[frontend."dockerfile.v0"]
  enabled = true
[frontend."gateway.v0"]
  enabled = true
  allowedRepositories = []
[system]
  platformsCacheMaxAge = "20s"
  maxRegistryConcurrency = 4
[nosuch]
  key = 1
[worker.oci]
  enabled = true
  labels = {kind = "e2e"}
  platforms = ["linux/amd64"]
  rootless = false
  noProcessSandbox = false
  snapshotter = "native"
  networkMode = "host"
  max-parallelism = 3
  defaultCgroupParent = ""
  gc = true
  reservedSpace = "512MB"
  maxUsedSpace = 3000000000
  minFreeSpace = "10%"
[worker.containerd]
  enabled = false
  namespace = "k8s.io"
  gc = true
TOML
"$BIN/buildkitd" --config "$WORK/buildkitd.toml" 2>> "$WORK/daemon.log" &
DAEMON=$!
wait_ready
for address in sock second; do
	[ "$(stat -c %a:%u:%g "$WORK/$address")" = 660:0:0 ] || fail "mode or owner of $address"
done
sed -n 's/.*option \([^ ]*\) is accepted but has no effect.*/\1/p' "$WORK/daemon.log" | sort > "$WORK/inactive"
[ -z "$(uniq -d "$WORK/inactive")" ] || fail "a key is named twice"
grep -qE 'proxyNetwork|rootless|noProcessSandbox' "$WORK/inactive" && fail "a key that asks for nothing is named"
[ "$(grep -c 'unknown key' "$WORK/daemon.log")" = "$(grep -c 'unknown key .*\(nosuch\|\"unknown\)' "$WORK/daemon.log")" ] || fail "a known key is called unknown"
grep -q 'unknown key .*\(nosuch\|\"unknown\)' "$WORK/daemon.log" || fail "an unknown key is not reported"
total=$(df --output=size -B1 "$WORK" | tail -n 1)
gb=$((total / 100 * 10 / 1073741824 + 1))
shows 'kind:.*e2e' 'snapshotter:.*native' 'Platforms:.*linux/amd64$' 'Reserved space:.*536.871MB' \
	'Maximum used space:.*3GB' "Minimum free space:.*${gb}GB"
printf 'FROM scratch AS b\nCOPY --chmod=755 busybox /busybox\nRUN ["/busybox","cp","/etc/resolv.conf","/r"]\nFROM scratch\nCOPY --from=b /r /\n' \
	> "$WORK/c/dns"
"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" --opt filename=dns \
	--output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "build"; }
grep -q 'nameserver 192.0.2.1' "$WORK/out/r" && grep -q 'search example.com' "$WORK/out/r" && grep -q edns0 "$WORK/out/r" || { cat "$WORK/out/r"; fail "dns"; }
stop_daemon

# gckeepstorage: MB below a million, else bytes; with a unit, that unit; ignored if a new key is set.
keep() { # VALUE PATTERN
	: > "$WORK/daemon.log"
	printf '[worker.oci]\n%s\n' "$1" > "$WORK/buildkitd.toml"
	start_daemon
	shows "$2"
	stop_daemon
}
keep 'gckeepstorage = 9000' 'Reserved space:.*9GB'
one 'gckeepstorage: interpreted as 9.00GB (numbers below 1000000 are in MB)'
keep 'gckeepstorage = 9000000000' 'Reserved space:.*9GB'
one 'gckeepstorage: interpreted as 9.00GB'
keep 'gckeepstorage = "1GB"' 'Reserved space:.*1.07374GB'
printf '[worker.oci]\ngckeepstorage = 9000\nreservedSpace = 2000000000\n' > "$WORK/buildkitd.toml"
: > "$WORK/daemon.log"
start_daemon
shows 'Reserved space:.*2GB'
grep -q gckeepstorage "$WORK/daemon.log" && fail "gckeepstorage beside reservedSpace"
stop_daemon

# Flags override the file; gc = false disables the rules.
config <<TOML
[grpc]
  address = ["unix://$WORK/from-file"]
[log]
  format = "json"
[worker.oci]
  gc = false
  snapshotter = "overlayfs"
  [worker.oci.labels]
    kind = "file"
    other = "file"
TOML
: > "$WORK/daemon.log"
start_daemon --oci-worker-snapshotter native --oci-worker-labels kind=flag --log-format text
[ ! -e "$WORK/from-file" ] || fail "the file's address was opened in spite of --addr"
shows 'kind:.*flag' 'other:.*file' 'snapshotter:.*native'
grep -q 'GC Policy' "$WORK/workers" && fail "rules although gc = false"
grep -q '^time=' "$WORK/daemon.log" || fail "the log format of the file"
stop_daemon
start_daemon --oci-worker-gc=true --oci-worker-gc-keepstorage 1000,2000,3000
shows 'Reserved space:.*1GB' 'Minimum free space:.*2GB' 'Maximum used space:.*3GB'
stop_daemon

# A frontend that is disabled.
printf '[frontend."dockerfile.v0"]\nenabled = false\n' > "$WORK/buildkitd.toml"
start_daemon
fails 'dockerfile.v0' "$WORK/log2" build "$WORK/c"
stop_daemon

# Invalid files: one error with the position.
wrong() { # TEXT FILE
	printf '%b' "$2" > "$WORK/buildkitd.toml"
	fails "$1" "$WORK/log3" timeout 10 "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml"
	[ "$(wc -l < "$WORK/log3")" = 1 ] || { cat "$WORK/log3"; fail "not one line"; }
}
file=$WORK/buildkitd.toml
wrong "$file:2:8: worker.oci.gc: expected a boolean, found a string" '[worker.oci]\n  gc = "yes"\n'
wrong "$file:2:19: worker.oci.max-parallelism: expected an integer, found a float" '[worker.oci]\nmax-parallelism = 1.5\n'
wrong "$file:3:" '[[worker.oci.gcpolicy]]\nall = true\nkeepDuration = "soon"\n'
wrong "$file:2:17: worker.oci.reservedSpace: " '[worker.oci]\nreservedSpace = "much"\n'
wrong "$file:2:17: worker.oci.reservedSpace: invalid percentage" '[worker.oci]\nreservedSpace = "101%"\n'
wrong "$file:2:8: http: expected a boolean, found an integer" '[registry."r"]\nhttp = 1\n'
wrong "failed to load config from $file: line 1, column " "[worker.oci\n"
wrong 'maxRegistryConcurrency must be greater than zero' '[system]\nmaxRegistryConcurrency = 0\n'
wrong 'you must specify key and cert file if one is specified' '[grpc.tls]\ncert = "x"\n'
wrong 'unsupported log type' '[log]\nformat = "xml"\n'

# Registries: TLS with a private CA and a client certificate, also as a mirror of another host.
registry=$(command -v docker-registry || fail "no docker-registry (tools/setup test)")
port=$((20000 + $$ % 20000))
"$HERE/../../examples/create-certs" "$WORK/certs" localhost 127.0.0.1 > /dev/null
cat > "$WORK/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $WORK/registry}}
http:
  addr: "127.0.0.1:$port"
  tls: {certificate: $WORK/certs/server/cert.pem, key: $WORK/certs/server/key.pem, clientcas: [$WORK/certs/ca.pem]}
YAML
"$registry" serve "$WORK/registry.yml" > "$WORK/registry.out" 2>&1 &
undo "kill $!"
mkdir "$WORK/tlsdir"
cp "$WORK/certs/ca.pem" "$WORK/tlsdir/ca.crt"
cp "$WORK/certs/client/cert.pem" "$WORK/tlsdir/client.cert"
cp "$WORK/certs/client/key.pem" "$WORK/tlsdir/client.key"
registry_config() {
	printf '[registry."docker.io"]\nmirrors = ["127.0.0.1:%s"]\n[registry."127.0.0.1:%s"]\nhttp = false\n%b\n' "$port" "$port" "$1" > "$WORK/buildkitd.toml"
	start_daemon
}
wait_for 'listening on' "$WORK/registry.out"
registry_config "ca = [\"$WORK/certs/ca.pem\"]\n"
fails 'error' "$WORK/log4" build "$WORK/c" --output type=image,name="127.0.0.1:$port/library/own:1",push=true
stop_daemon
registry_config "ca = [\"$WORK/certs/ca.pem\"]\n[[registry.\"127.0.0.1:$port\".keypair]]\nkey = \"$WORK/certs/client/key.pem\"\ncert = \"$WORK/certs/client/cert.pem\""
build "$WORK/c" --output type=image,name="127.0.0.1:$port/library/own:1",push=true 2> "$WORK/log5" || { cat "$WORK/log5"; fail "push with a certificate"; }
stop_daemon
rm -rf "$WORK/root"
registry_config "tlsconfigdir = [\"$WORK/tlsdir\"]\n"
printf 'FROM docker.io/library/own:1\nRUN echo mirrored > /m\n' > "$WORK/c/Dockerfile"
rm -rf "$WORK/out"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log6" || { cat "$WORK/log6"; fail "pull through the mirror"; }
[ "$(cat "$WORK/out/m")" = mirrored ] || fail "wrong result"
