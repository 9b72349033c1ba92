/* SPDX-License-Identifier: Apache-2.0 */
/* LLBBridge: NewContainer, ReleaseContainer and the files of containers. */
#include "base/limits.h"
#include "lib/exec_stream.h"
#include <string.h>
#include <sys/stat.h>

static void setup(struct gateway_rig *f, gconstpointer data)
{
	fake_steps_init();
	gateway_rig_setup(f, NULL);
	exec_rig_containers(f);
}

static void teardown(struct gateway_rig *f, gconstpointer data)
{
	gateway_rig_teardown(f, NULL);
	fake_steps_clear();
}

#define NEW(f, request, error) GATEWAY_CALL(f, "NewContainer", request, gateway__new_container_response, error)

static void expect_new_fails(struct gateway_rig *f, const Gateway__NewContainerRequest *request, enum error_code code,
			     const char *text)
{
	g_autoptr(GError) error = NULL;
	gateway_rig_failed(NEW(f, request, &error), &error, code, text);
}

static void expect_release_fails(struct gateway_rig *f, const char *id, enum error_code code, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(exec_release_container(f, id, &error));
	gateway_rig_failed(NULL, &error, code, text);
}

static void expect_released(struct gateway_rig *f, const char *id)
{
	g_autoptr(GError) error = NULL;
	bool ok = exec_release_container(f, id, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
}

/* ---- NewContainer */

static GString *noted; /* what the bridge was asked */
static bridge_ref *noted_ref;

static container *note_request(const struct bridge_container_request *r, struct work *work, GError **error)
{
	g_string_append_printf(noted, "%s network=%d hostname=%s %s=%s %s", r->id, r->network, r->hostname,
			       r->hosts[0]->host, r->hosts[0]->ip, r->platform ? r->platform->os : "");
	for (size_t i = 0; i < r->n_mounts; i++)
		g_string_append_printf(noted, " %s:%s", r->mounts[i]->dest,
				       r->refs[i] == noted_ref ? "ref"
				       : r->results[i]         ? "result"
							       : "none");
	error_set(error, ERROR_NOT_FOUND, "no such image");
	return NULL;
}

static void test_request(struct gateway_rig *f, gconstpointer data)
{
	g_autofree char *id = gateway_rig_solve(f);
	Pb__Mount root = PB__MOUNT__INIT, other = PB__MOUNT__INIT, *mounts[] = {&root, &other};
	Pb__HostIP host = PB__HOST_IP__INIT, *hosts[] = {&host};
	Pb__Platform platform = PB__PLATFORM__INIT;
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	root.dest = (char *)"/";
	root.resultid = id;
	other.dest = (char *)"/tmp";
	host.host = (char *)"h";
	host.ip = (char *)"192.0.2.1";
	platform.os = (char *)"windows";
	request.containerid = (char *)"c";
	request.mounts = mounts;
	request.n_mounts = 2;
	request.network = PB__NET_MODE__NONE;
	request.hostname = (char *)"box";
	request.extrahosts = hosts;
	request.n_extrahosts = 1;
	request.platform = &platform;
	f->fake.new_container = note_request;
	noted = g_string_new(NULL);
	noted_ref = &f->fake.ref;
	/* The code of a failure is hidden, as that of a build; the id can be used again. */
	for (int i = 0; i < 2; i++)
		expect_new_fails(f, &request, ERROR_UNKNOWN, "no such image");
	static const char once[] = "c network=2 hostname=box h=192.0.2.1 windows /:ref /tmp:none";
	g_autofree char *twice = g_strconcat(once, once, NULL);
	g_assert_cmpstr(noted->str, ==, twice);
	other.resultid = (char *)"nope";
	expect_new_fails(f, &request, ERROR_UNKNOWN,
			 "failed to find ref nope for \"/tmp\" mount: return reference nope not found");
	g_assert_cmpstr(noted->str, ==, twice);
	g_string_free(noted, TRUE);
}

static void test_ids(struct gateway_rig *f, gconstpointer data)
{
	g_autofree char *long_id = g_strnfill(LIMIT_EXEC_ID_BYTES + 1, 'x');
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	request.containerid = long_id;
	expect_new_fails(f, &request, ERROR_INVALID_ARGUMENT,
			 "the id of a container has 1025 bytes, at most 1024 are allowed");
	long_id[LIMIT_EXEC_ID_BYTES] = '\0';
	exec_new_container(f, long_id);
	exec_new_container(f, "");
	request.containerid = (char *)"c";
	exec_new_container(f, "c");
	expect_new_fails(f, &request, ERROR_ALREADY_EXISTS, "Container c already exists");
	expect_released(f, "c");
	exec_new_container(f, "c");
	expect_released(f, long_id);
}

static void test_most(struct gateway_rig *f, gconstpointer data)
{
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	request.containerid = (char *)"more";
	for (int i = 0; i < LIMIT_CONTAINERS; i++) {
		g_autofree char *id = g_strdup_printf("c%d", i);
		exec_new_container(f, id);
	}
	expect_new_fails(f, &request, ERROR_RESOURCE_EXHAUSTED, "a build has at most 64 containers");
	expect_released(f, "c63");
	exec_new_container(f, "more");
	g_assert_cmpint(fake_steps.open_mounts, ==, LIMIT_CONTAINERS);
	gateway_close(f->g); /* releases all */
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
}

struct creation {
	struct gateway_rig *f;
	cancel *stop;
	void *reply;
	GError *error;
};

static gpointer create_thread(gpointer data)
{
	struct creation *n = data;
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	request.containerid = (char *)"c";
	n->reply = rpc_unary(n->f->pair.conn, GATEWAY_SERVICE "NewContainer", NULL, &request,
			     &gateway__new_container_response__descriptor, n->stop, 0, &n->error);
	return NULL;
}

/* A container that is being created has its id, but cannot be used; the client's end of the call ends its creation. */
static void test_being_created(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	Gateway__NewContainerRequest request = GATEWAY__NEW_CONTAINER_REQUEST__INIT;
	struct creation n = {.f = f, .stop = cancel_new(NULL)};
	request.containerid = (char *)"c";
	fake_steps.mounts_wait = true;
	GThread *t = g_thread_new("create", create_thread, &n);
	event_wait(&fake_steps.mounts_waiting, 1);
	expect_new_fails(f, &request, ERROR_ALREADY_EXISTS, "Container c already exists");
	expect_release_fails(f, "c", ERROR_UNKNOWN, "container details for c not found");
	exec_client_open(&c, f);
	exec_client_init(&c, "p", "c", "x");
	exec_client_expect_end(&c, ERROR_NOT_FOUND, "container \"c\" previously released or not created");
	exec_client_close(&c);
	cancel_set(n.stop, ERROR_CANCELED, NULL);
	g_thread_join(t);
	gateway_rig_failed(n.reply, &n.error, ERROR_CANCELED, "context canceled");
	cancel_unref(n.stop);
	gateway_close(f->g); /* waits for the call */
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
}

/* ---- ReleaseContainer */

static void test_release(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	expect_release_fails(f, "c", ERROR_UNKNOWN, "container details for c not found");
	exec_new_container(f, "c");
	exec_client_open(&c, f);
	exec_client_init(&c, "p", "c", "first");
	fake_step_fail(fake_steps_wait(0), ERROR_NOT_FOUND, "no such program");
	expect_release_fails(f, "c", ERROR_UNKNOWN, "no such program"); /* the code is hidden */
	expect_release_fails(f, "c", ERROR_UNKNOWN, "container details for c not found");
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	exec_client_close(&c);
}

/* ---- files */

static void test_files(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__FileRange range = GATEWAY__FILE_RANGE__INIT;
	Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
	Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
	Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
	g_autofree char *path = g_build_filename(fake_steps.tree_path, "f", NULL);
	g_file_set_contents(path, "0123456789", -1, &error);
	g_assert_no_error(error);
	exec_new_container(f, "c");
	file.ref = dir.ref = stat.ref = (char *)"c";
	file.filepath = stat.path = (char *)"/f";
	dir.dirpath = (char *)"/";
	dir.includepattern = (char *)"f*";
	range.offset = 3;
	range.length = 4;
	file.range = &range;
	Gateway__ReadFileResponse *part =
		GATEWAY_CALL(f, "ReadFileContainer", &file, gateway__read_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(part->data.data, part->data.len, "3456", 4);
	guard_free(part);
	file.range = NULL;
	Gateway__ReadFileResponse *all =
		GATEWAY_CALL(f, "ReadFileContainer", &file, gateway__read_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(all->data.len, ==, 10);
	guard_free(all);
	Gateway__ReadDirResponse *entries =
		GATEWAY_CALL(f, "ReadDirContainer", &dir, gateway__read_dir_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(entries->n_entries, ==, 1);
	g_assert_cmpstr(entries->entries[0]->path, ==, "f");
	guard_free(entries);
	Gateway__StatFileResponse *one =
		GATEWAY_CALL(f, "StatFileContainer", &stat, gateway__stat_file_response, &error);
	g_assert_no_error(error);
	g_assert_cmpint(one->stat->size, ==, 10);
	guard_free(one);
}

static void test_files_refused(struct gateway_rig *f, gconstpointer data)
{
	static const struct {
		const char *id, *path, *text;
		int mount;
	} cases[] = {
		{"x", "/f", "container details for x@7 not found", 7},
		{"c", "f", "can't make f relative to /", 0},
		{"c", "/f", "mountable 1 not found", 1},
		{"c", "/f", "mount index 2 is out of bounds (2 available)", 2},
	};
	g_autoptr(GError) error = NULL;
	exec_new_container(f, "c");
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Gateway__ReadFileRequest file = GATEWAY__READ_FILE_REQUEST__INIT;
		Gateway__ReadDirRequest dir = GATEWAY__READ_DIR_REQUEST__INIT;
		Gateway__StatFileRequest stat = GATEWAY__STAT_FILE_REQUEST__INIT;
		file.ref = dir.ref = stat.ref = (char *)cases[i].id;
		file.filepath = dir.dirpath = stat.path = (char *)cases[i].path;
		file.mountindex = dir.mountindex = stat.mountindex = cases[i].mount;
		gateway_rig_failed(GATEWAY_CALL(f, "ReadFileContainer", &file, gateway__read_file_response, &error),
				   &error, ERROR_UNKNOWN, cases[i].text);
		gateway_rig_failed(GATEWAY_CALL(f, "ReadDirContainer", &dir, gateway__read_dir_response, &error),
				   &error, ERROR_UNKNOWN, cases[i].text);
		gateway_rig_failed(GATEWAY_CALL(f, "StatFileContainer", &stat, gateway__stat_file_response, &error),
				   &error, ERROR_UNKNOWN, cases[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add("/gateway_containers/" name, struct gateway_rig, NULL, setup, fn, teardown)
	ADD("request", test_request);
	ADD("ids", test_ids);
	ADD("most", test_most);
	ADD("being-created", test_being_created);
	ADD("release", test_release);
	ADD("files", test_files);
	ADD("files-refused", test_files_refused);
	return g_test_run();
}
