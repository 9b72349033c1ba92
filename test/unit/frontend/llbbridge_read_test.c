/* SPDX-License-Identifier: Apache-2.0 */
/* LLBBridge: image configs, sources and the files of refs. */
#include "lib/gateway_rig.h"
#include <string.h>

static void test_image(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Platform platform = PB__PLATFORM__INIT;
	Gateway__ResolveImageConfigRequest request = GATEWAY__RESOLVE_IMAGE_CONFIG_REQUEST__INIT;
	request.ref = (char *)"docker.io/library/a:1";
	Gateway__ResolveImageConfigResponse *reply =
		GATEWAY_CALL(f, "ResolveImageConfig", &request, gateway__resolve_image_config_response, &error);
	g_assert_no_error(error);
	gateway_rig_seen(f,
			 "image docker.io/library/a:1 default mode= name=none layout=0 session= store= policies=0\n");
	struct digest digest;
	digest_of_text("found", &digest);
	g_assert_cmpstr(reply->digest, ==, digest.text);
	g_assert_cmpstr(reply->ref, ==, "docker.io/library/found:1");
	g_assert_cmpmem(reply->config.data, reply->config.len, "{}", 2);
	guard_free(reply);

	platform.os = (char *)"linux";
	platform.architecture = (char *)"aarch64";
	request.platform = &platform;
	request.resolvemode = (char *)"pull";
	request.logname = (char *)"n";
	request.resolvertype = 1;
	request.sessionid = (char *)"s";
	request.storeid = (char *)"t";
	f->fake.bad = "image not found";
	f->fake.code = ERROR_NOT_FOUND;
	gateway_rig_failed(
		GATEWAY_CALL(f, "ResolveImageConfig", &request, gateway__resolve_image_config_response, &error), &error,
		ERROR_NOT_FOUND, "image not found");
	gateway_rig_seen(f,
			 "image docker.io/library/a:1 arm64 mode=pull name=n layout=1 session=s store=t policies=0\n");
}

static void test_source(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Gateway__ResolveSourceMetaRequest request = GATEWAY__RESOLVE_SOURCE_META_REQUEST__INIT;
	gateway_rig_failed(
		GATEWAY_CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error), &error,
		ERROR_INVALID_ARGUMENT, "source is required");
	op.identifier = (char *)"local://context";
	request.source = &op;
	Gateway__ResolveSourceMetaResponse *reply =
		GATEWAY_CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(reply->source->identifier, ==, "local://context");
	gateway_rig_seen(f, "source local://context\n");
	guard_free(reply);
	f->fake.bad = "denied";
	f->fake.code = ERROR_PERMISSION_DENIED;
	gateway_rig_failed(
		GATEWAY_CALL(f, "ResolveSourceMeta", &request, gateway__resolve_source_meta_response, &error), &error,
		ERROR_PERMISSION_DENIED, "denied");
}

static void test_files(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = gateway_rig_solve(f);
	Gateway__FileRange range = GATEWAY__FILE_RANGE__INIT;
	Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
	Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
	Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
	file.ref = dir.ref = stat.ref = id;
	file.filepath = (char *)"f";
	dir.dirpath = (char *)"d";
	dir.includepattern = (char *)"*.c";
	stat.path = (char *)"s";
	Gateway__ReadFileResponse *bytes = GATEWAY_CALL(f, "ReadFile", &file, gateway__read_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(bytes->data.data, bytes->data.len, "contents", 8);
	guard_free(bytes);
	range.offset = 3;
	range.length = 4;
	file.range = &range;
	guard_free(GATEWAY_CALL(f, "ReadFile", &file, gateway__read_file_response, &error));
	Gateway__ReadDirResponse *entries = GATEWAY_CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(entries->n_entries, ==, 2);
	g_assert_cmpstr(entries->entries[1]->path, ==, "b");
	g_assert_cmpstr(entries->entries[1]->linkname, ==, "a");
	guard_free(entries);
	Gateway__StatFileResponse *one = GATEWAY_CALL(f, "StatFile", &stat, gateway__stat_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(one->stat->path, ==, "name");
	g_assert_cmpint(one->stat->size, ==, 7);
	guard_free(one);
	gateway_rig_seen(f, "read f 0+0\nread f 3+4\nlist d *.c\nstat s\n");

	f->fake.bad = "open f: no such file or directory";
	f->fake.code = ERROR_NOT_FOUND;
	gateway_rig_failed(GATEWAY_CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error,
			   f->fake.code, f->fake.bad);
	gateway_rig_failed(GATEWAY_CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error), &error, f->fake.code,
			   f->fake.bad);
	gateway_rig_failed(GATEWAY_CALL(f, "StatFile", &stat, gateway__stat_file_response, &error), &error,
			   f->fake.code, f->fake.bad);
}

static void test_refs(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
	Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
	Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
	Gateway__EvaluateRequest evaluate = GATEWAY__EVALUATE_REQUEST__INIT;
	/* "" is scratch: evaluated at once, and without files. */
	gateway_rig_failed(GATEWAY_CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error,
			   ERROR_UNKNOWN, "empty ref: ");
	gateway_rig_failed(GATEWAY_CALL(f, "ReadDir", &dir, gateway__read_dir_response, &error), &error, ERROR_UNKNOWN,
			   "empty ref: ");
	gateway_rig_failed(GATEWAY_CALL(f, "StatFile", &stat, gateway__stat_file_response, &error), &error,
			   ERROR_UNKNOWN, "empty ref: ");
	guard_free(GATEWAY_CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error));
	g_assert_no_error(error);
	gateway_rig_seen(f, "");
	evaluate.ref = file.ref = (char *)"x";
	gateway_rig_failed(GATEWAY_CALL(f, "ReadFile", &file, gateway__read_file_response, &error), &error,
			   ERROR_UNKNOWN, "no such ref: x, all []");
	g_autofree char *id = gateway_rig_solve(f);
	g_autofree char *text = g_strdup_printf("no such ref: x, all [%s]", id);
	gateway_rig_failed(GATEWAY_CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error), &error,
			   ERROR_UNKNOWN, text);
	evaluate.ref = id;
	guard_free(GATEWAY_CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error));
	g_assert_no_error(error);
	gateway_rig_seen(f, "evaluate\n");
	f->fake.bad = "process failed";
	f->fake.code = ERROR_NOT_FOUND;
	gateway_rig_failed(GATEWAY_CALL(f, "Evaluate", &evaluate, gateway__evaluate_response, &error), &error,
			   ERROR_UNKNOWN, "process failed");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, data, fn)                                                                                            \
	g_test_add("/llbbridge_read/" name, struct gateway_rig, data, gateway_rig_setup, fn, gateway_rig_teardown)
	ADD("image", NULL, test_image);
	ADD("source", NULL, test_source);
	ADD("files", NULL, test_files);
	ADD("refs", NULL, test_refs);
	return g_test_run();
}
