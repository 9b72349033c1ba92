/* SPDX-License-Identifier: Apache-2.0 */
/* Known-answer vectors recorded from upstream. */
#include "api/guard.h"
#include "llb/build.h"
#include "ops/ops.h"

#define PATH_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static llb_graph *graph;
static size_t n_env_max = SIZE_MAX; /* entries that the graph adds to an environment beyond this number are removed */

static struct llb_out image(const char *name)
{
	g_autofree char *id = g_strdup_printf("docker-image://docker.io/library/%s:latest", name);
	return llb_source(graph, id, NULL, NULL);
}

/* Marshals and loads it, as a client's definition would be. */
static llb_definition *load_out(struct llb_out out)
{
	g_autoptr(GError) error = NULL;
	Pb__Definition *pb = llb_marshal(graph, out);
	const char *caps[200];
	size_t n = 0;
	for (const char *const *c = llb_caps(); *c; c++)
		caps[n++] = *c;
	caps[n++] = "mergeop";
	caps[n++] = "diffop";
	caps[n] = NULL;
	llb_definition *d = llb_load(pb, &(struct llb_load_options){.caps = caps}, &error);
	g_assert_no_error(error);
	guard_free(pb);
	return d;
}

/* The cache map of an output. */
static void map_of(struct llb_out out, struct cache_map *ret)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_definition) d = load_out(out);
	int64_t index;
	const struct llb_vertex *v = llb_definition_result(d, &index);
	*ret = (struct cache_map){0};
	if (v->type == LLB_EXEC) {
		size_t *n_env = &v->op->exec->meta->n_env, all = *n_env;
		*n_env = MIN(all, n_env_max);
		ops_cache_map_exec(v, ret, &error);
		*n_env = all;
	} else if (v->type == LLB_FILE) {
		ops_cache_map_file(v, ret, &error);
	} else {
		ops_cache_map_other(v, ret, &error);
	}
	g_assert_no_error(error);
}

static void clear(struct cache_map *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g_free(m->inputs[i].selector);
	g_free(m->inputs);
}

static void check_file(struct llb_out on, const struct llb_file_action *action, const char *want)
{
	struct cache_map m;
	map_of(llb_file(graph, on, action, 1, NULL), &m);
	g_assert_cmpstr(m.digest, ==, want);
	g_assert_true(m.last);
	clear(&m, 1);
}

static void test_exec_plain(void)
{
	Pb__Meta meta = PB__META__INIT;
	meta.args = (char *[]){(char *)"/bin/sh", (char *)"-c", (char *)"echo hi"};
	meta.n_args = 3;
	meta.env = (char *[]){(char *)PATH_ENV};
	meta.n_env = 1;
	meta.cwd = (char *)"/";
	struct llb_exec_mount root = {.source = image("busybox"), .dest = "/"};
	struct cache_map m;
	map_of(llb_exec(graph, &(struct llb_exec_spec){.meta = &meta, .mounts = &root, .n_mounts = 1}, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:c05fad748a0f082e241255d2becc8afbe482abefbd6bec68e15355f18490465c");
	g_assert_cmpstr(m.inputs[0].selector, ==,
			"sha256:8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1");
	g_assert_false(m.inputs[0].content);
	clear(&m, 1);
}

/* Sets all that has no pointer to a message. */
static void fill_meta(Pb__Meta *meta)
{
	static char *args[] = {(char *)"/bin/true"}, *env[] = {(char *)PATH_ENV, (char *)"A=b"};
	meta->args = args;
	meta->n_args = 1;
	meta->env = env;
	meta->n_env = 2;
	meta->cwd = (char *)"/w";
	meta->user = (char *)"1:2";
	meta->removemountstubsrecursive = true;
}

static void test_exec_everything(void)
{
	Pb__Meta meta = PB__META__INIT;
	Pb__ProxyEnv proxy = PB__PROXY_ENV__INIT;
	Pb__SecretEnv secret = PB__SECRET_ENV__INIT, *secrets[] = {&secret};
	Pb__HostIP host = PB__HOST_IP__INIT, *hosts[] = {&host};
	fill_meta(&meta);
	host.host = (char *)"h";
	host.ip = (char *)"10.0.0.1";
	meta.extrahosts = hosts;
	meta.n_extrahosts = 1;
	proxy.http_proxy = (char *)"http://proxy";
	meta.proxy_env = &proxy;
	secret.id = (char *)"s";
	secret.name = (char *)"S";
	secret.optional = true;
	struct llb_exec_mount mounts[] = {
		{.source = image("busybox"), .dest = "/"},
		{.source = image("alpine"), .dest = "/b", .selector = "/a.txt", .readonly = true},
		{.type = PB__MOUNT_TYPE__CACHE, .dest = "/c", .cache_id = "//c"},
		{.type = PB__MOUNT_TYPE__CACHE,
		 .dest = "/d",
		 .cache_id = "/my",
		 .sharing = PB__CACHE_SHARING_OPT__LOCKED},
		{.type = PB__MOUNT_TYPE__TMPFS, .dest = "/t", .tmpfs_size = 1048576},
		{.type = PB__MOUNT_TYPE__SECRET,
		 .dest = "/run/secrets/x",
		 .secret_id = "x",
		 .mode = 0400,
		 .optional = true},
		{.type = PB__MOUNT_TYPE__SSH, .dest = "/run/buildkit/ssh_agent.0", .mode = 0600, .optional = true},
	};
	struct llb_exec_spec spec = {.meta = &meta,
				     .mounts = mounts,
				     .n_mounts = G_N_ELEMENTS(mounts),
				     .network = PB__NET_MODE__NONE,
				     .secret_env = secrets,
				     .n_secret_env = 1};
	struct cache_map m, same, other;
	n_env_max = 2; /* without SSH_AUTH_SOCK */
	map_of(llb_exec(graph, &spec, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:11c01e59470890f7dd66530d5c955fff4ac32b6da611e618649771d276767704");
	g_assert_cmpstr(m.inputs[1].selector, ==,
			"sha256:54fae40d857b06f54c7c320992e02adf1e21ba8243de5e7511abf115c248d07d");
	g_assert_true(m.inputs[1].content);
	/* Proxies, addresses of hosts, selectors and ids of locked cache mounts do not affect the key. */
	meta.proxy_env = NULL;
	host.ip = (char *)"10.0.0.2";
	mounts[1].selector = "/b.txt";
	mounts[3].cache_id = "other";
	map_of(llb_exec(graph, &spec, NULL), &same);
	g_assert_cmpstr(same.digest, ==, m.digest);
	g_assert_cmpstr(same.inputs[1].selector, !=, m.inputs[1].selector);
	mounts[2].cache_id = "other"; /* an id of the default form does */
	map_of(llb_exec(graph, &spec, NULL), &other);
	g_assert_cmpstr(other.digest, !=, m.digest);
	n_env_max = SIZE_MAX;
	clear(&same, 2);
	clear(&other, 2);
	clear(&m, 2);
}

static void copy_as_dockerfile(Pb__FileActionCopy *copy)
{
	pb__file_action_copy__init(copy);
	copy->src = (char *)"/dir/a.txt";
	copy->dest = (char *)"/dst/";
	copy->mode = -1;
	copy->followsymlink = copy->dircopycontents = copy->createdestpath = true;
	copy->allowwildcard = copy->allowemptywildcard = true;
	copy->timestamp = -1;
}

static void test_copy(void)
{
	Pb__FileActionCopy copy;
	copy_as_dockerfile(&copy);
	struct llb_file_action action = {.type = PB__FILE_ACTION__ACTION_COPY,
					 .copy = &copy,
					 .from = llb_source(graph, "local://context", NULL, NULL)};
	struct cache_map m;
	map_of(llb_file(graph, image("busybox"), &action, 1, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:70a6a150554b33b8ec4c805ee3adea65b644397bb8f34757a697a10514739759");
	g_assert_null(m.inputs[0].selector);
	g_assert_false(m.inputs[0].content);
	g_assert_cmpstr(m.inputs[1].selector, ==,
			"sha256:8e7333320847fa122c641fd5a2c66f98f1300fbb804df4b3e8aed8efad7619c1");
	g_assert_true(m.inputs[1].content);
	clear(&m, 2);
	map_of(llb_file(graph, (struct llb_out){0}, &action, 1, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:60ef028b7dd069f6b22f929f760fee4bdd8739508181de8189683a9e1d692b97");
	clear(&m, 1);
}

static void test_file_actions(void)
{
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	mkdir.path = (char *)"/w";
	mkdir.mode = 0755;
	mkdir.makeparents = true;
	mkdir.timestamp = -1;
	check_file(image("busybox"), &(struct llb_file_action){.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir},
		   "sha256:9db5dc88869437365acb90a9b626b212b7102e65cfa699358bd0932ce258b729");
	Pb__FileActionMkFile mkfile = PB__FILE_ACTION_MK_FILE__INIT;
	mkfile.path = (char *)"/EOT";
	mkfile.mode = 0644;
	mkfile.data = (ProtobufCBinaryData){.len = 5, .data = (uint8_t *)"hi b\n"};
	mkfile.timestamp = -1;
	check_file((struct llb_out){0},
		   &(struct llb_file_action){.type = PB__FILE_ACTION__ACTION_MKFILE, .mkfile = &mkfile},
		   "sha256:f3cba235a9c574c2b16941909b321ea003998a159f35a7e2804177057f544c29");
	Pb__FileActionRm rm = PB__FILE_ACTION_RM__INIT;
	rm.path = (char *)"/w";
	rm.allownotfound = true;
	check_file(image("busybox"), &(struct llb_file_action){.type = PB__FILE_ACTION__ACTION_RM, .rm = &rm},
		   "sha256:97a495d2dd63761e9c111979187fdcb8b9f63762eb7b0d2679fa01ee177b5b57");
	Pb__FileActionSymlink symlink = PB__FILE_ACTION_SYMLINK__INIT;
	symlink.oldpath = (char *)"a";
	symlink.newpath = (char *)"/b";
	symlink.timestamp = -1;
	check_file(image("busybox"),
		   &(struct llb_file_action){.type = PB__FILE_ACTION__ACTION_SYMLINK, .symlink = &symlink},
		   "sha256:fbcaf8427fc69b42641c3a39d08702d0bebeba725f251359d37a94c7926e2d5b");
}

static void test_merge_diff(void)
{
	struct llb_out a = image("busybox"), b = image("alpine");
	struct cache_map m;
	map_of(llb_merge(graph, (struct llb_out[]){a, b}, 2, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:436287a2dc2ce494f564331be9ea3a9f27ebec398567877043da2f618f33d6c8");
	clear(&m, 2);
	map_of(llb_diff(graph, a, b, NULL), &m);
	g_assert_cmpstr(m.digest, ==, "sha256:164ae6dac10aea8de6cb7cda35914a10011485523f807ea840bca3e0ab19d8ff");
	clear(&m, 2);
}

/* ---- special cases */

static void meta_init(Pb__Meta *meta, char **args, size_t n)
{
	pb__meta__init(meta);
	meta->args = args;
	meta->n_args = n;
	meta->cwd = (char *)"/";
}

static char *exec_digest(Pb__Meta *meta, struct llb_exec_mount *mounts, size_t n)
{
	struct cache_map m;
	map_of(llb_exec(graph, &(struct llb_exec_spec){.meta = meta, .mounts = mounts, .n_mounts = n}, NULL), &m);
	char *digest = g_strdup(m.digest);
	clear(&m, 1);
	return digest;
}

/* Host names, ulimits, the cgroup parent and ids of secrets affect the key of a step. */
static void test_trap_9(void)
{
	char *args[] = {(char *)"x"};
	Pb__Ulimit limit = PB__ULIMIT__INIT, *limits[] = {&limit};
	limit.name = (char *)"nofile";
	struct llb_exec_mount mounts[] = {
		{.source = image("busybox"), .dest = "/"},
		{.type = PB__MOUNT_TYPE__SECRET, .dest = "/s", .secret_id = "a", .mode = 0400},
	};
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (int i = 0; i < 5; i++) {
		Pb__Meta meta;
		meta_init(&meta, args, 1);
		if (i == 1)
			meta.hostname = (char *)"h";
		if (i == 2)
			meta.ulimit = limits;
		meta.n_ulimit = i == 2;
		if (i == 3)
			meta.cgroupparent = (char *)"p";
		if (i == 4)
			mounts[1].secret_id = "b";
		g_assert_true(g_hash_table_add(seen, exec_digest(&meta, mounts, 2)));
	}
}

/* Go's escapes are part of what is hashed. */
static void test_trap_12(void)
{
	char *args[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo a && b <c >d"};
	Pb__Meta meta;
	meta_init(&meta, args, 3);
	struct llb_exec_mount root = {.source = image("busybox"), .dest = "/"};
	g_autofree char *digest = exec_digest(&meta, &root, 1);
	struct digest want;
	digest_of_text(
		"{\"Type\":\"buildkit.exec.v0\",\"Exec\":{\"meta\":{\"args\":[\"/bin/sh\",\"-c\","
		"\"echo a \\u0026\\u0026 b \\u003cc \\u003ed\"],\"cwd\":\"/\",\"removeMountStubsRecursive\":true}},"
		"\"OS\":\"linux\",\"Arch\":\"amd64\"}",
		&want);
	g_assert_cmpstr(digest, ==, want.text);
}

/* The digest of a file op whose actions have these JSON texts. */
static void expect_actions(struct llb_out out, const char *first, const char *second, const char *indexes)
{
	g_autofree char *a = g_base64_encode((const guchar *)first, strlen(first));
	g_autofree char *b = second ? g_base64_encode((const guchar *)second, strlen(second)) : NULL;
	g_autofree char *json = g_strdup_printf("{\"Type\":\"buildkit.file.v0\",\"Actions\":[\"%s\"%s%s%s]%s}", a,
						b ? ",\"" : "", b ? b : "", b ? "\"" : "", indexes);
	struct digest want;
	struct cache_map m;
	digest_of_text(json, &want);
	map_of(out, &m);
	g_assert_cmpstr(m.digest, ==, want.text);
	clear(&m, 2);
}

/* An owner with id 0 is an empty object, not an absent one. */
static void test_trap_13(void)
{
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	Pb__ChownOpt owner = PB__CHOWN_OPT__INIT;
	Pb__UserOpt user = PB__USER_OPT__INIT, group = PB__USER_OPT__INIT;
	user.user_case = group.user_case = PB__USER_OPT__USER_BY_ID;
	group.byid = 3;
	owner.user = &user;
	owner.group = &group;
	mkdir.path = (char *)"/w";
	mkdir.mode = 0755;
	mkdir.owner = &owner;
	mkdir.timestamp = -1;
	struct llb_file_action a = {.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir};
	expect_actions(
		llb_file(graph, image("busybox"), &a, 1, NULL),
		"{\"path\":\"/w\",\"mode\":493,\"owner\":{\"user\":{\"User\":{}},\"group\":{\"User\":{\"byId\":3}}},"
		"\"timestamp\":-1}",
		NULL, "");
}

static void expect_selector(const struct cache_map *m, size_t input, const char *text, size_t n)
{
	struct digest want;
	digest_of(text, n, &want);
	g_assert_cmpstr(m->inputs[input].selector, ==, want.text);
}

/* Selectors of file ops are joined in descending order, those of exec in the order of mounts. */
static void test_trap_14(void)
{
	Pb__FileActionCopy a, b;
	copy_as_dockerfile(&a);
	copy_as_dockerfile(&b);
	a.src = (char *)"/b";
	b.src = (char *)"/c/d";
	struct llb_out from = llb_source(graph, "local://context", NULL, NULL);
	struct llb_file_action actions[] = {{.type = PB__FILE_ACTION__ACTION_COPY, .copy = &a, .from = from},
					    {.type = PB__FILE_ACTION__ACTION_COPY, .copy = &b, .from = from}};
	struct cache_map m;
	map_of(llb_file(graph, image("busybox"), actions, 2, NULL), &m);
	expect_selector(&m, 1, "/c/d\0/b", 7);
	clear(&m, 2);
	char *args[] = {(char *)"x"};
	Pb__Meta meta;
	meta_init(&meta, args, 1);
	struct llb_exec_mount mounts[] = {
		{.source = image("busybox"), .dest = "/"},
		{.source = from, .dest = "/m", .selector = "b", .readonly = true},
		{.source = from, .dest = "/n", .selector = "c/d", .readonly = true},
	};
	map_of(llb_exec(graph, &(struct llb_exec_spec){.meta = &meta, .mounts = mounts, .n_mounts = 3}, NULL), &m);
	expect_selector(&m, 1, "/b\0/c/d", 7);
	clear(&m, 2);
}

/* Indices are left out when an action's input is the number of *actions* plus its position, not that of inputs. */
static void test_trap_15(void)
{
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	mkdir.path = (char *)"/w";
	mkdir.mode = 0755;
	mkdir.timestamp = -1;
	Pb__FileActionCopy copy;
	copy_as_dockerfile(&copy);
	struct llb_file_action actions[] = {{.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir},
					    {.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir}};
	static const char json[] = "{\"path\":\"/w\",\"mode\":493,\"timestamp\":-1}";
	expect_actions(llb_file(graph, image("busybox"), actions, 2, NULL), json, json,
		       ",\"indexes\":[[0,-1,-1],[1,-1,0]]");
	actions[1] = (struct llb_file_action){.type = PB__FILE_ACTION__ACTION_COPY,
					      .copy = &copy,
					      .from = llb_source(graph, "local://context", NULL, NULL)};
	expect_actions(
		llb_file(graph, image("busybox"), actions, 2, NULL), json,
		"{\"src\":\"a.txt\",\"dest\":\"/dst/\",\"mode\":-1,\"followSymlink\":true,\"dirCopyContents\":true,"
		"\"createDestPath\":true,\"allowWildcard\":true,\"allowEmptyWildcard\":true,\"timestamp\":-1}",
		"");
}

/* An input that is both modified and copied from has no content key. */
static void test_trap_16(void)
{
	Pb__FileActionCopy copy;
	copy_as_dockerfile(&copy);
	struct llb_out base = image("busybox");
	struct llb_file_action a = {.type = PB__FILE_ACTION__ACTION_COPY, .copy = &copy, .from = base};
	struct cache_map m;
	map_of(llb_file(graph, base, &a, 1, NULL), &m);
	g_assert_null(m.inputs[0].selector);
	g_assert_false(m.inputs[0].content);
	clear(&m, 1);
}

/* Sources, steps and file ops count against max-parallelism; other ops do not. */
static void test_trap_36(void)
{
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	mkdir.path = (char *)"/w";
	char *args[] = {(char *)"x"};
	Pb__Meta meta;
	meta_init(&meta, args, 1);
	struct llb_file_action a = {.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir};
	struct llb_out one = image("busybox"), two = image("alpine");
	struct llb_exec_mount root = {.source = one, .dest = "/"};
	const struct {
		struct llb_out out;
		bool takes_slot;
	} rows[] = {
		{one, true},
		{llb_exec(graph, &(struct llb_exec_spec){.meta = &meta, .mounts = &root, .n_mounts = 1}, NULL), true},
		{llb_file(graph, one, &a, 1, NULL), true},
		{llb_merge(graph, (struct llb_out[]){one, two}, 2, NULL), false},
		{llb_diff(graph, one, two, NULL), false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(llb_definition) d = load_out(rows[i].out);
		int64_t index;
		struct solver_op op;
		g_assert_true(ops_resolve(NULL, llb_definition_result(d, &index), NULL, &op, &error));
		g_assert_cmpint(op.class->takes_slot, ==, rows[i].takes_slot);
		g_assert_true(op.class->cache_map && op.class->free);
		g_assert_true(!op.class->exec != !op.class->definition);
		op.class->free(op.self);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	graph = llb_graph_new();
	llb_graph_set_platform(graph, &(struct platform){.os = "linux", .architecture = "amd64"});
	g_test_add_func("/cache-key/exec-plain", test_exec_plain);
	g_test_add_func("/cache-key/exec-everything", test_exec_everything);
	g_test_add_func("/cache-key/copy", test_copy);
	g_test_add_func("/cache-key/file-actions", test_file_actions);
	g_test_add_func("/cache-key/merge-diff", test_merge_diff);
	g_test_add_func("/cache-key/trap-9", test_trap_9);
	g_test_add_func("/cache-key/trap-12", test_trap_12);
	g_test_add_func("/cache-key/trap-13", test_trap_13);
	g_test_add_func("/cache-key/trap-14", test_trap_14);
	g_test_add_func("/cache-key/trap-15", test_trap_15);
	g_test_add_func("/cache-key/trap-16", test_trap_16);
	g_test_add_func("/cache-key/trap-36", test_trap_36);
	int status = g_test_run();
	llb_graph_free(graph);
	return status;
}
