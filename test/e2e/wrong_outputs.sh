# SPDX-License-Identifier: Apache-2.0
# Invalid outputs and caches are refused before a step runs, with the error text of the daemon or the client.
start_daemon
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'ARG N'; echo 'RUN echo STEP-RAN-$N'; } > "$WORK/c/Dockerfile"
n=0
# refused TEXT ARGS: the command fails with TEXT, and no step ran.
refused() {
	text=$1
	shift
	n=$((n + 1))
	fails "$text" "$WORK/said" build "$WORK/c" --opt "build-arg:N=$n" "$@"
	! grep -q "^#[0-9]* [0-9.]* STEP-RAN-$n" "$WORK/said" || { cat "$WORK/said"; fail "steps ran before: $text"; }
	! grep -q "RUN echo STEP-RAN" "$WORK/said" || { cat "$WORK/said"; fail "the Dockerfile was read before: $text"; }
}
O="dest=$WORK/x.tar"
refused 'exporter "foo" could not be found' --output type=foo
refused 'unsupported compression type lzma' --output "type=oci,$O,compression=lzma"
refused 'unrecognized annotation type foo' --output "type=oci,$O,annotation-foo.a=b"
refused 'non-bool value specified for push: strconv.ParseBool: parsing "maybe": invalid syntax' --output type=image,name=x/y,push=maybe
refused 'non-bool value specified for tar' --output "type=oci,$O,tar=perhaps"
refused 'non-integer value high specified for compression-level' --output "type=oci,$O,compression-level=high"
refused 'non-bool value x specified for force-compression' --output "type=oci,$O,force-compression=x"
refused 'invalid source-date-epoch: strconv.ParseInt: parsing "soon"' --output "type=oci,$O,source-date-epoch=soon"
refused 'exporter option "compression=estargz" conflicts with "oci-mediatypes=false"' --output "type=oci,$O,compression=estargz,oci-mediatypes=false"
refused 'non-bool value for platform-split: maybe' --output "type=local,dest=$WORK/lo,platform-split=maybe"
refused 'invalid local exporter mode "copyx"' --output "type=tar,$O,mode=copyx"
refused 'failed to parse BAD//x: invalid reference format' --output "type=oci,$O,name=BAD//x"
refused 'failed to push BAD//x: invalid reference format' --output type=image,name=BAD//x,push=true
refused "can't push tagged ref docker.io/x/y:z by digest" --output type=image,name=x/y:z,push=true,push-by-digest=true
refused 'exporter option "push=true" needs the option "name"' --output type=image,push=true
# One of several outputs.
refused 'unsupported compression type lzma' --output "type=oci,$O" --output "type=oci,dest=$WORK/y.tar,compression=lzma"
refused 'unknown cache exporter: "foo"' --export-cache type=foo
refused 'failed to configure registry cache exporter: unsupported compression type lzma' --export-cache type=registry,ref=127.0.0.1:1/a,compression=lzma
refused 'failed to configure registry cache exporter: invalid reference format' --export-cache type=inline --export-cache type=registry,ref=A//b
refused 'duplicate cache exports [registry]' --export-cache type=registry,ref=a/b --export-cache type=registry,ref=a/b

# Output files of the client.
mkdir "$WORK/dir"
for flag in metadata-file ref-file; do
	refused "--$flag: write $WORK/none/file: no such file or directory" --$flag "$WORK/none/file"
	refused "--$flag: write $WORK/dir: is a directory" --$flag "$WORK/dir"
	refused "--$flag: write $WORK/c/busybox/file: not a directory" --$flag "$WORK/c/busybox/file"
done
refused "dest: write $WORK/c/busybox: not a directory" --output "type=local,dest=$WORK/c/busybox"
refused "dest: write $WORK/c/busybox/deep/er: not a directory" --output "type=local,dest=$WORK/c/busybox/deep/er"
refused 'destination file is a directory' --output "type=oci,dest=$WORK/dir"
[ -z "$(ls -A "$WORK/dir")" ] && [ ! -e "$WORK/lo" ] || fail "a check left something"
# Devices, pipes and links are opened for writing: a link here, a device elsewhere.
ln -s target "$WORK/dir/link"
build "$WORK/c" --metadata-file "$WORK/dir/m" --ref-file "$WORK/dir/link" --output "type=local,dest=$WORK/deep/er/out" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "right paths are refused"; }
[ -L "$WORK/dir/link" ] && [ -s "$WORK/dir/target" ] || fail "a link was replaced by a file"
[ -e "$WORK/deep/er/out/bin/busybox" ] || fail "no output"
stop_daemon
