# SPDX-License-Identifier: Apache-2.0
# Caches in a registry, in a directory and inside images: export, import, import after damage; cost of lazy layers.

mkdir -p "$WORK/reg" "$WORK/out"
python3 "$HERE/counting_registry.py" "$WORK/reg" &
REGISTRY=$!
undo "kill $REGISTRY; wait $REGISTRY 2>/dev/null"
await test -s "$WORK/reg/port"
REG="127.0.0.1:$(cat "$WORK/reg/port")"
start_daemon

make_context "$WORK/ctx"
{
	cat "$WORK/ctx/base"
	cat <<'DOCKERFILE'
FROM base AS deps
RUN echo deps > /deps; echo RAN-deps
RUN cat /deps > /made; echo RAN-made
FROM base
COPY --from=deps /made /made
RUN cat /made > /end; echo RAN-end
DOCKERFILE
} > "$WORK/ctx/Dockerfile"

json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
layers() { # TAG: digests of a cache in the registry
	python3 -c 'import json, sys, urllib.request
for l in sorted({l["digest"] for l in json.load(urllib.request.urlopen(sys.argv[1]))["layers"]}): print(l)' "http://$REG/v2/cache/manifests/$1"
}
prune() { "$BIN/buildctl" prune --all > /dev/null; }
# requests METHOD PATTERN: how many since the last reset_log.
reset_log() { : > "$WORK/reg/log"; }
requests() { grep -cE "^$1 $2" "$WORK/reg/log" || true; }
ran() { grep -qE "^#[0-9]+ [0-9.]+ RAN-($1)" "$WORK/said"; } # the output of a step, not its name
all_cached() { ! ran '.*' || { cat "$WORK/said"; fail "$1: a step ran"; }; }
same() { [ "$1" = "$2" ] || { cat "$WORK/reg/log"; fail "$3: $1, not $2"; }; }

# ---- registry, max and min, several exports at once
build "$WORK/ctx" --export-cache "type=registry,ref=$REG/cache:max,mode=max" \
	--export-cache "type=local,dest=$WORK/out/min" --export-cache "type=inline" \
	--output "type=image,name=$REG/app:inline,push=true" --metadata-file "$WORK/meta" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "export"; }
grep -q '"cache.manifest"' "$WORK/meta" || fail "no cache.manifest in the response"
grep -q '"latest"' "$WORK/out/min/index.json" || fail "no tag in index.json"
for n in 1 2; do
	build "$WORK/ctx" --export-cache "type=local,dest=$WORK/out/same$n,mode=max" > "$WORK/said" 2>&1
done
diff -r "$WORK/out/same1" "$WORK/out/same2" || fail "a second export of the same is not the same"
for cache in "type=registry,ref=$REG/cache:max" "type=local,src=$WORK/out/min" "type=registry,ref=$REG/app:inline"; do
	prune
	build "$WORK/ctx" --import-cache "$cache" --output "type=oci,dest=$WORK/o.tar" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$cache"; }
	all_cached "$cache"
done

# Two imports, one of an unknown type: the other is used.
prune
build "$WORK/ctx" --import-cache "type=nosuch,x=y" --import-cache "type=registry,ref=$REG/cache:max" > "$WORK/said" 2>&1 || fail "unknown importer"
all_cached "two imports"
grep -q "unknown cache importer: nosuch" "$WORK/said" || fail "an unknown importer is not named"

# ---- lazy: layers of a result that is not read are not fetched
prune
reset_log
build "$WORK/ctx" --import-cache "type=registry,ref=$REG/cache:max" > "$WORK/said" 2>&1
all_cached "lazy import"
same "$(requests GET '/v2/cache/blobs/')" 1 "blobs read for an unused result (the config is one)"
"$BIN/buildctl" du -v > "$WORK/du"

# A new last step fetches the layers below it, and not those of the other stage.
sed -i 's/RAN-end/RAN-end2/' "$WORK/ctx/Dockerfile"
prune
reset_log
build "$WORK/ctx" --import-cache "type=registry,ref=$REG/cache:max" > "$WORK/said" 2>&1
ran end2 || fail "the changed step did not run"
! ran "deps|made" || fail "more than the changed step ran"
same "$(requests GET '/v2/cache/blobs/')" 4 "config and the three layers below the new step"
sed -i 's/RAN-end2/RAN-end/' "$WORK/ctx/Dockerfile"

# Layers that were not loaded are exported to the next cache without being fetched.
prune
reset_log
build "$WORK/ctx" --import-cache "type=registry,ref=$REG/cache:max" --export-cache "type=registry,ref=$REG/cache:again,mode=max" > "$WORK/said" 2>&1
same "$(requests PUT '/v2/cache/blobs/')" 0 "layers sent to the repository that has them"
same "$(requests GET '/v2/cache/blobs/')" 1 "blobs read to export them again"
same "$(layers again)" "$(layers max)" "layers of the second cache"

# ---- pushing an image whose base is in the registry
cat > "$WORK/ctx/Dockerfile.base" <<DOCKERFILE
FROM $REG/app:inline
RUN echo more > /more
DOCKERFILE
prune
reset_log
build "$WORK/ctx" --opt filename=Dockerfile.base --output "type=image,name=$REG/other/child:v1,push=true" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "push"; }
same "$(requests PUT '/v2/other/child/blobs/')" 2 "blobs uploaded beside the base's (one layer, one config)"
printf 'FROM %s\nLABEL a=b\n' "$REG/app:inline" > "$WORK/ctx/Dockerfile.base"
prune
reset_log
build "$WORK/ctx" --opt filename=Dockerfile.base --output "type=image,name=$REG/label:v1,push=true" > "$WORK/said" 2>&1 || fail "push of a label"
same "$(requests GET '/v2/app/blobs/')" 0 "blobs read of a base that no step reads (its config was read before)"
same "$(requests PUT '/v2/label/blobs/')" 1 "blobs uploaded for a label (the config)"

# ---- an image for two platforms: the inline caches of both are used
cat > "$WORK/ctx/Dockerfile.multi" <<'DOCKERFILE'
FROM --platform=$BUILDPLATFORM scratch AS base
COPY --chmod=755 busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
ARG TARGETARCH
RUN echo -n $TARGETARCH > /arch && head -c 100 /dev/urandom | sha256sum > /unique; echo RAN-$TARGETARCH
FROM scratch
COPY --from=base /unique /arch /
DOCKERFILE
multi() { # ARGS: builds and pushes for two platforms
	build "$WORK/ctx" --opt filename=Dockerfile.multi --opt platform=linux/amd64,linux/arm/v7 --export-cache type=inline \
		--output "type=image,name=$REG/app:multi,push=true" --metadata-file "$WORK/meta" "$@" > "$WORK/said" 2>&1 ||
		{ cat "$WORK/said"; fail "an image for two platforms"; }
	json "$WORK/meta" 'd["containerimage.digest"]'
}
multi_digest=$(multi)
for n in 1 2; do
	prune
	same "$(multi --import-cache "type=registry,ref=$REG/app:multi")" "$multi_digest" "the image made from its own cache ($n)"
	all_cached "inline cache of two platforms ($n)"
done

# ---- damage: a cache miss, never a failure
damage() { # COMMAND on every layer of the cache: then the build must work and run its steps again.
	for digest in $(layers max); do
		cp "$WORK/reg/blobs/$digest" "$WORK/out/kept-$digest"
		eval "$1"
	done
	prune
	build "$WORK/ctx" --import-cache "type=registry,ref=$REG/cache:max" --output "type=oci,dest=$WORK/o.tar" > "$WORK/said" 2>&1 ||
		{ cat "$WORK/said"; fail "a cache with $1 fails the build"; }
	ran end || { cat "$WORK/said"; fail "$1: nothing ran"; }
	grep -q "cache import from $REG/cache:max failed" "$WORK/said" || { cat "$WORK/said"; fail "$1: no word of it"; }
	for file in "$WORK"/out/kept-*; do
		cp "$file" "$WORK/reg/blobs/${file##*/kept-}"
	done
}
damage 'rm "$WORK/reg/blobs/$digest"'
damage 'truncate -s 10 "$WORK/reg/blobs/$digest"'
damage 'echo garbage > "$WORK/reg/blobs/$digest"'
alive

# A directory of a client: edited config, missing blob, garbage.
build "$WORK/ctx" --export-cache "type=local,dest=$WORK/out/max,mode=max" > "$WORK/said" 2>&1
manifest=$(json "$WORK/out/max/index.json" 'd["manifests"][0]["digest"]')
config=$(json "$WORK/out/max/blobs/sha256/${manifest#*:}" 'd["config"]["digest"]')
for what in "echo '{}' >" "echo '[[[[' >" rm; do
	cp -r "$WORK/out/max" "$WORK/out/bad"
	for file in "$WORK/out/bad/blobs/sha256/"*; do
		[ "${file##*/}" = "${manifest#*:}" ] || { chmod u+w "$file"; eval "$what \"\$file\""; }
	done
	prune
	build "$WORK/ctx" --import-cache "type=local,src=$WORK/out/bad" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "damaged directory: $what"; }
	ran end || { cat "$WORK/said"; fail "damaged directory: nothing ran"; }
	rm -rf "$WORK/out/bad"
	cp -r "$WORK/out/max" "$WORK/out/bad"
	for file in "$WORK/out/bad/blobs/sha256/"*; do
		case "${file##*/}" in "${manifest#*:}" | "${config#*:}") ;; *) chmod u+w "$file"; eval "$what \"\$file\"" ;; esac
	done
	prune
	build "$WORK/ctx" --import-cache "type=local,src=$WORK/out/bad" --output "type=oci,dest=$WORK/o.tar" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "damaged layers: $what"; }
	ran end || { cat "$WORK/said"; fail "damaged layers: nothing ran"; }
	rm -rf "$WORK/out/bad"
done
alive

# ---- reset=true: only blobs that index.json refers to are kept
touch "$WORK/out/max/blobs/sha256/$(printf '%064d' 7)"
build "$WORK/ctx" --export-cache "type=local,dest=$WORK/out/max,mode=max,reset=true,tag=two" > "$WORK/said" 2>&1
[ ! -e "$WORK/out/max/blobs/sha256/$(printf '%064d' 7)" ] || fail "reset left a blob that nothing names"
same "$(json "$WORK/out/max/index.json" 'len(d["manifests"])')" 2 "tags in index.json"

# ---- errors
fails "failed to configure registry cache exporter" "$WORK/said" build "$WORK/ctx" --export-cache "type=registry,ref=$REG/cache:x,image-manifest=maybe"
fails 'cache export of type "gha" is not supported' "$WORK/said" build "$WORK/ctx" --export-cache type=gha,token=a.b.c,url=http://127.0.0.1:1
fails 'failed to configure gha cache exporter: token is malformed' "$WORK/said" build "$WORK/ctx" --export-cache type=gha,token=t,url=http://127.0.0.1:1
fails "duplicate cache exports [registry]" "$WORK/said" build "$WORK/ctx" --export-cache "type=registry,ref=$REG/cache:x" --export-cache "type=registry,ref=$REG/cache:x,mode=max"
fails "exporting cache to registry" "$WORK/said" build "$WORK/ctx" --export-cache "type=registry,ref=127.0.0.1:1/none:x"
build "$WORK/ctx" --export-cache "type=registry,ref=127.0.0.1:1/none:x,ignore-error=true" > "$WORK/said" 2>&1 || fail "ignore-error"
stop_daemon
no_leftovers
