/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "base/limits.h"
#include "format/json_writer.h"
#include "llb/build.h"
#include "llb/definition.h"
#include "llb/op_json.h"
#include <stdlib.h>
#include <string.h>

/* ---- hand-made definitions */

static GPtrArray *def_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
}

/* Adds an op whose inputs are earlier elements; returns its digest in ret. */
static void def_add(GPtrArray *def, Pb__Op *op, struct digest *ret)
{
	GBytes *bytes = llb_op_pack(op);
	digest_of(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), ret);
	g_ptr_array_add(def, bytes);
}

static void add_source(GPtrArray *def, const char *identifier, struct digest *ret)
{
	Pb__SourceOp source = PB__SOURCE_OP__INIT;
	Pb__Op op = PB__OP__INIT;
	source.identifier = (char *)identifier;
	op.op_case = PB__OP__OP_SOURCE;
	op.source = &source;
	def_add(def, &op, ret);
}

static void add_terminal(GPtrArray *def, const struct digest *d, int64_t index)
{
	Pb__Op op = PB__OP__INIT;
	Pb__Input in = PB__INPUT__INIT, *inputs[] = {&in};
	struct digest ignored;
	in.digest = (char *)d->text;
	in.index = index;
	op.inputs = inputs;
	op.n_inputs = 1;
	def_add(def, &op, &ignored);
}

static llb_definition *load(const GPtrArray *def, const struct llb_load_options *options, GError **error)
{
	Pb__Definition pb = PB__DEFINITION__INIT;
	g_autofree ProtobufCBinaryData *items = g_new0(ProtobufCBinaryData, def->len + 1);
	for (guint i = 0; i < def->len; i++)
		items[i] = (ProtobufCBinaryData){.len = g_bytes_get_size(def->pdata[i]),
						 .data = (uint8_t *)g_bytes_get_data(def->pdata[i], NULL)};
	pb.def = items;
	pb.n_def = def->len;
	return llb_load(&pb, options, error);
}

/* An op on one image, as the result. */
static void check_op(Pb__Op *op, const char *want)
{
	g_autoptr(GPtrArray) def = def_new();
	struct digest image, d;
	Pb__Input in = PB__INPUT__INIT, *inputs[] = {&in};
	add_source(def, "docker-image://docker.io/library/busybox:latest", &image);
	in.digest = image.text;
	if (op->n_inputs == 1)
		op->inputs = inputs;
	def_add(def, op, &d);
	add_terminal(def, &d, 0);
	const char *caps[] = {"constraints", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_definition) loaded = load(def, &(struct llb_load_options){.caps = caps}, &error);
	if (want) {
		g_assert_null(loaded);
		g_assert_cmpstr(error->message, ==, want);
	} else {
		g_assert_no_error(error);
	}
}

static void test_shape(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) def = def_new();
	g_assert_null(load(def, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid empty definition");
	g_clear_error(&error);
	struct digest image;
	add_source(def, "docker-image://x", &image);
	g_assert_null(load(def, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid LLB with 1 vertexes");
	g_clear_error(&error);
	struct digest other;
	add_source(def, "docker-image://y", &other);
	g_assert_null(load(def, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid LLB with no inputs on last vertex");
	g_clear_error(&error);
	add_terminal(def, &image, 3);
	g_autoptr(llb_definition) ok = load(def, NULL, &error);
	g_assert_no_error(error);
	int64_t index;
	const struct llb_vertex *v = llb_definition_result(ok, &index);
	g_assert_cmpint(index, ==, 3);
	g_assert_cmpstr(v->name, ==, "docker-image://x");
	size_t n;
	llb_definition_vertices(ok, &n);
	g_assert_cmpuint(n, ==, 1); /* y is not needed */
	g_autoptr(GPtrArray) twice_empty = def_new();
	add_source(twice_empty, "docker-image://x", &image);
	for (int i = 0; i < 2; i++)
		g_ptr_array_add(twice_empty, g_bytes_new(NULL, 0));
	add_terminal(twice_empty, &image, 0);
	g_autoptr(llb_definition) with_empty = load(twice_empty, NULL, &error);
	g_assert_no_error(error);
	llb_definition_vertices(with_empty, &n);
	g_assert_cmpuint(n, ==, 1);
	struct digest missing;
	digest_of_text("missing", &missing);
	add_terminal(def, &missing, 0);
	g_assert_null(load(def, NULL, &error));
	g_assert_true(g_str_has_prefix(error->message, "invalid missing input digest sha256:"));
	g_clear_error(&error);
	g_ptr_array_set_size(def, 1);
	add_terminal(def, &image, -1);
	g_assert_null(load(def, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid input 0 output index -1");
	g_clear_error(&error);
	g_ptr_array_set_size(def, 1);
	g_ptr_array_add(def, g_bytes_new_static("\xff", 1));
	g_assert_null(load(def, NULL, &error));
	g_assert_true(g_str_has_prefix(error->message, "failed to parse llb proto op: "));
}

/* Hook of test_rewrite: replaces x by y; data names a source that is an error. */
static bool replace_x(void *data, struct llb_source *sources, size_t n, GError **error)
{
	for (size_t i = 0; i < n; i++) {
		Pb__SourceOp *source = sources[i].op;
		if (g_strcmp0(source->identifier, data) == 0)
			return error_set(error, ERROR_UNKNOWN, "not %s", source->identifier);
		if (strcmp(source->identifier, "docker-image://x") != 0)
			continue;
		free(source->identifier);
		source->identifier = strdup("docker-image://y");
		sources[i].changed = true;
	}
	return true;
}

/* Rewrites a merge of both images: each vertex has the digest that it would have if y had been the original source. */
static GPtrArray *merge_of(const char *first, const char *second)
{
	GPtrArray *def = def_new();
	struct digest images[2], merged;
	Pb__Input in[] = {PB__INPUT__INIT, PB__INPUT__INIT}, *inputs[] = {&in[0], &in[1]};
	Pb__MergeInput m[] = {PB__MERGE_INPUT__INIT, PB__MERGE_INPUT__INIT}, *merges[] = {&m[0], &m[1]};
	Pb__MergeOp merge = PB__MERGE_OP__INIT;
	Pb__Op op = PB__OP__INIT;
	add_source(def, first, &images[0]);
	add_source(def, second, &images[1]);
	in[0].digest = images[0].text;
	in[1].digest = images[1].text;
	m[1].input = 1;
	merge.inputs = merges;
	merge.n_inputs = 2;
	op.op_case = PB__OP__OP_MERGE;
	op.merge = &merge;
	op.inputs = inputs;
	op.n_inputs = 2;
	def_add(def, &op, &merged);
	add_terminal(def, &merged, 0);
	return def;
}

static void test_rewrite(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) given = merge_of("docker-image://x", "docker-image://y");
	g_autoptr(GPtrArray) meant = merge_of("docker-image://y", "docker-image://y");
	struct llb_load_options options = {.rewrite_sources = replace_x};
	int64_t index;
	size_t n;
	g_autoptr(llb_definition) a = load(given, &options, &error), b = load(meant, NULL, &error);
	g_assert_no_error(error);
	const struct llb_vertex *v = llb_definition_result(a, &index), *want = llb_definition_result(b, &index);
	g_assert_cmpstr(v->digest.text, ==, want->digest.text);
	g_assert_true(v->inputs[0].vertex == v->inputs[1].vertex);
	g_assert_cmpstr(v->inputs[0].vertex->name, ==, "docker-image://y");
	llb_definition_vertices(a, &n);
	g_assert_cmpuint(n, ==, 2);
	llb_vertex_annotate_error(v, error_set(&error, ERROR_UNKNOWN, "x") ? NULL : error); /* finds itself */
	g_clear_error(&error);
	/* unchanged: digests of the received bytes */
	g_autoptr(llb_definition) c = load(meant, &options, &error);
	g_assert_cmpstr(llb_definition_result(c, &index)->digest.text, ==, want->digest.text);
	options.rewrite_data = (char *)"docker-image://y";
	g_assert_null(load(given, &options, &error));
	g_assert_cmpstr(error->message, ==, "not docker-image://y");
}

static void test_exec(void)
{
	Pb__Op op = PB__OP__INIT;
	Pb__ExecOp exec = PB__EXEC_OP__INIT;
	Pb__Meta meta = PB__META__INIT;
	Pb__Mount root = PB__MOUNT__INIT, other = PB__MOUNT__INIT, *mounts[] = {&root, &other};
	op.op_case = PB__OP__OP_EXEC;
	op.exec = &exec;
	op.n_inputs = 1;
	check_op(&op, "invalid exec op with no meta");
	exec.meta = &meta;
	check_op(&op, "invalid exec op with no args");
	meta.args = (char *[]){(char *)"sh"};
	meta.n_args = 1;
	check_op(&op, "invalid exec op with no mounts");
	exec.mounts = mounts;
	exec.n_mounts = 2;
	root.dest = (char *)"/x";
	other.dest = (char *)"/y";
	check_op(&op, "invalid exec op with no rootfs");
	root.dest = (char *)"/";
	check_op(&op, NULL);
	other.input = 1;
	check_op(&op, "missing input 1");
	other.input = -2;
	check_op(&op, "missing input -2");
	other.input = -1;
	other.dest = (char *)"/";
	check_op(&op, "invalid exec op with several mounts at /");
	other.mounttype = PB__MOUNT_TYPE__TMPFS;
	check_op(&op, "invalid mount type TMPFS for /");
	other.mounttype = (Pb__MountType)9;
	check_op(&op, "mount type 9 not implemented");
	other.mounttype = PB__MOUNT_TYPE__BIND;
	other.dest = (char *)"/y";
	other.output = -2;
	check_op(&op, "invalid output index -2 of mount /y");
	other.output = 0;
	exec.network = PB__NET_MODE__HOST;
	check_op(&op, "network.host is not allowed");
	exec.network = PB__NET_MODE__NONE;
	exec.security = PB__SECURITY_MODE__INSECURE;
	check_op(&op, "security.insecure is not allowed");
}

/* The step of a definition with a proxy, whose digest is returned; NULL: none. */
static netproxy_policy *load_step(Pb__NetMode network, netproxy_policy *proxy, struct digest *ret_sent,
				  struct digest *ret_loaded)
{
	Pb__Op op = PB__OP__INIT;
	Pb__ExecOp exec = PB__EXEC_OP__INIT;
	Pb__Meta meta = PB__META__INIT;
	Pb__Mount root = PB__MOUNT__INIT, *mounts[] = {&root};
	Pb__Input in = PB__INPUT__INIT, *inputs[] = {&in};
	g_autoptr(GPtrArray) def = def_new();
	g_autoptr(GError) error = NULL;
	struct digest image;
	int64_t index;
	add_source(def, "docker-image://docker.io/library/busybox:latest", &image);
	in.digest = image.text;
	op.op_case = PB__OP__OP_EXEC;
	op.exec = &exec;
	op.inputs = inputs;
	op.n_inputs = 1;
	exec.meta = &meta;
	exec.mounts = mounts;
	exec.n_mounts = 1;
	exec.network = network;
	meta.args = (char *[]){(char *)"sh"};
	meta.n_args = 1;
	root.dest = (char *)"/";
	def_add(def, &op, ret_sent);
	add_terminal(def, ret_sent, 0);
	const struct llb_load_options options = {.allow_network_host = true, .proxy = proxy};
	g_autoptr(llb_definition) d = load(def, &options, &error);
	g_assert_no_error(error);
	const struct llb_vertex *v = llb_definition_result(d, &index);
	*ret_loaded = v->digest;
	g_assert_null(v->inputs[0].vertex->proxy);
	g_assert_cmpstr(v->inputs[0].vertex->digest.text, ==, image.text);
	g_autoptr(GBytes) bytes = g_bytes_ref(def->pdata[1]);
	g_autoptr(GByteArray) marked = g_byte_array_new();
	g_byte_array_append(marked, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
	g_byte_array_append(marked, (const guint8 *)"\0buildkit.proxy-network.v0", 26);
	if (v->proxy)
		g_byte_array_append(marked, (const guint8 *)netproxy_policy_scope(proxy),
				    (guint)strlen(netproxy_policy_scope(proxy)));
	if (v->proxy)
		digest_of(marked->data, marked->len, ret_sent); /* upstream's digest, and the scope */
	return v->proxy;
}

/* Steps with a network have the proxy and a digest that no other network has. */
static void test_proxy(void)
{
	struct digest expected, loaded, shared, scoped;
	netproxy_policy *all = netproxy_policy_new("", NULL, NULL), *one = netproxy_policy_new("build", NULL, NULL);
	g_assert_null(load_step(PB__NET_MODE__UNSET, NULL, &expected, &loaded));
	g_assert_cmpstr(loaded.text, ==, expected.text);
	g_assert_null(load_step(PB__NET_MODE__NONE, all, &expected, &loaded));
	g_assert_cmpstr(loaded.text, ==, expected.text);
	g_assert_true(load_step(PB__NET_MODE__UNSET, all, &expected, &shared) == all);
	g_assert_cmpstr(shared.text, ==, expected.text);
	g_assert_true(load_step(PB__NET_MODE__HOST, all, &expected, &loaded) == all);
	g_assert_cmpstr(loaded.text, ==, expected.text);
	g_assert_true(load_step(PB__NET_MODE__UNSET, one, &expected, &scoped) == one);
	g_assert_cmpstr(scoped.text, ==, expected.text);
	g_assert_cmpstr(scoped.text, !=, shared.text);
	struct llb_vertex a = {.proxy = all}, b = {.proxy = one}, none = {0};
	g_assert_true(llb_vertex_same_network(&a, &a) && llb_vertex_same_network(&none, &none));
	g_assert_false(llb_vertex_same_network(&a, &b) || llb_vertex_same_network(&a, &none) ||
		       llb_vertex_same_network(&none, &b));
	netproxy_policy_unref(all);
	netproxy_policy_unref(one);
}

static void test_file(void)
{
	Pb__Op op = PB__OP__INIT;
	Pb__FileOp file = PB__FILE_OP__INIT;
	Pb__FileAction a = PB__FILE_ACTION__INIT, b = PB__FILE_ACTION__INIT, *actions[] = {&a, &b};
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	Pb__ChownOpt owner = PB__CHOWN_OPT__INIT;
	Pb__UserOpt user = PB__USER_OPT__INIT;
	Pb__NamedUserOpt named = PB__NAMED_USER_OPT__INIT;
	op.op_case = PB__OP__OP_FILE;
	op.file = &file;
	op.n_inputs = 1;
	check_op(&op, "invalid file op with no actions");
	file.actions = actions;
	file.n_actions = 2;
	a.output = b.output = -1;
	a.secondaryinput = b.secondaryinput = -1;
	a.action_case = b.action_case = PB__FILE_ACTION__ACTION_MKDIR;
	a.mkdir = b.mkdir = &mkdir;
	b.output = 2;
	check_op(&op, "missing output index 0");
	/* The op checks at run time which outputs exist. */
	a.output = b.output = 1;
	check_op(&op, NULL);
	a.output = 0;
	check_op(&op, NULL);
	b.input = 1; /* the first action */
	check_op(&op, NULL);
	b.input = 2;
	check_op(&op, "loop from index 2");
	b.input = 3;
	check_op(&op, "invalid input index 3, 3 provided");
	b.input = -1;
	b.secondaryinput = -2;
	check_op(&op, "invalid secondary input index -2, 1 provided");
	b.secondaryinput = -1;
	b.action_case = PB__FILE_ACTION__ACTION__NOT_SET;
	check_op(&op, "invalid file action 1 with no kind");
	b.action_case = PB__FILE_ACTION__ACTION_MKDIR;
	named.input = 1;
	named.name = (char *)"bob";
	user.user_case = PB__USER_OPT__USER_BY_NAME;
	user.byname = &named;
	owner.user = &user;
	mkdir.owner = &owner;
	check_op(&op, "invalid input index 1 in file op with 1 inputs");
}

static void test_others(void)
{
	Pb__Op op = PB__OP__INIT;
	op.n_inputs = 1;
	check_op(&op, "invalid nil op");
	Pb__DiffOp diff = PB__DIFF_OP__INIT;
	Pb__LowerDiffInput lower = PB__LOWER_DIFF_INPUT__INIT;
	Pb__UpperDiffInput upper = PB__UPPER_DIFF_INPUT__INIT;
	op.op_case = PB__OP__OP_DIFF;
	op.diff = &diff;
	check_op(&op, "invalid diff op with nil lower or upper input");
	diff.lower = &lower;
	diff.upper = &upper;
	lower.input = -1;
	check_op(&op, NULL);
	lower.input = 5;
	check_op(&op, "invalid diff input index 5");
	Pb__MergeOp merge = PB__MERGE_OP__INIT;
	Pb__MergeInput in = PB__MERGE_INPUT__INIT, *inputs[] = {&in};
	merge.inputs = inputs;
	merge.n_inputs = 1;
	in.input = 1;
	op.op_case = PB__OP__OP_MERGE;
	op.merge = &merge;
	check_op(&op, "invalid merge input index 1");
	Pb__PassthroughOp pass = PB__PASSTHROUGH_OP__INIT;
	op.op_case = PB__OP__OP_PASSTHROUGH;
	op.passthrough = &pass;
	check_op(&op, "invalid passthrough op with no id");
	pass.id = (char *)"x";
	check_op(&op, "invalid passthrough op with no outputs");
	pass.outputs = (int64_t[]){7};
	pass.n_outputs = 1;
	check_op(&op, "invalid passthrough output input index 7");
	pass.outputs[0] = 0;
	check_op(&op, NULL);
}

/* ---- through build */

static llb_definition *marshal_load(llb_graph *g, struct llb_out out, const struct llb_load_options *options,
				    GError **error)
{
	Pb__Definition *pb = llb_marshal(g, out);
	llb_definition *d = llb_load(pb, options, error);
	guard_free(pb);
	return d;
}

static void test_caps(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	struct llb_meta meta = LLB_META_INIT;
	const struct {
		const char *cap, *text;
	} rows[] = {
		{"source.image", NULL},
		{"no.such", "unknown API capability no.such"},
		{"cache.gha",
		 "requested experimental feature cache.gha  is not supported by build server, please update buildkit"},
		{"file.copy.modestring", "requested experimental feature file.copy.modestring  is not supported by "
					 "build server, please update buildkit"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *caps[] = {rows[i].cap, NULL};
		meta.caps = caps;
		g_autofree char *id = g_strdup_printf("docker-image://x%zu", i);
		g_autoptr(llb_definition) d = marshal_load(g, llb_source(g, id, NULL, &meta), NULL, &error);
		if (rows[i].text) {
			g_assert_cmpstr(error->message, ==, rows[i].text);
			g_clear_error(&error);
		} else {
			g_assert_no_error(error);
		}
	}
	const char *const *all = llb_caps();
	for (size_t i = 1; all[i]; i++)
		g_assert_cmpstr(all[i - 1], <, all[i]);
	g_assert_false(g_strv_contains(all, "file.copy.modestring"));
}

/* One cap is misspelt in the protocol; two that are declared are not advertised. */
static void test_trap_5(void)
{
	const char *const *all = llb_caps();
	g_assert_true(g_strv_contains(all, "soruce.http.uidgid"));
	g_assert_true(g_strv_contains(all, "source.local.includepatterns"));
	g_assert_false(g_strv_contains(all, "source.http.uidgid"));
	g_assert_false(g_strv_contains(all, "exec.meta.removemountstubs.recursive"));
	g_assert_false(g_strv_contains(all, "file.copy.modestring"));
}

/* Caps are checked for every op, including the terminal one. */
static void test_trap_6(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	Pb__Definition *pb = llb_marshal(g, llb_source(g, "docker-image://x", NULL, NULL));
	struct digest terminal;
	const ProtobufCBinaryData *last = &pb->def[pb->n_def - 1];
	digest_of(last->data, last->len, &terminal);
	Pb__OpMetadata__CapsEntry cap = PB__OP_METADATA__CAPS_ENTRY__INIT, *caps[] = {&cap};
	Pb__OpMetadata meta = PB__OP_METADATA__INIT;
	Pb__Definition__MetadataEntry entry = PB__DEFINITION__METADATA_ENTRY__INIT, *entries[] = {&entry};
	cap.key = (char *)"no.such";
	cap.value = true;
	meta.caps = caps;
	meta.n_caps = 1;
	entry.key = terminal.text;
	entry.value = &meta;
	Pb__Definition with = *pb;
	with.metadata = entries;
	with.n_metadata = 1;
	g_assert_null(llb_load(&with, NULL, &error));
	g_assert_cmpstr(error->message, ==, "unknown API capability no.such");
	guard_free(pb);
}

/* Digests are those of the received bytes, although the platform is filled in afterwards (trap 4). */
static void test_platform_and_names(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	llb_graph_set_platform(g, &(struct platform){.os = "Linux", .architecture = "x86_64"});
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = "[1/2] FROM x";
	struct llb_out image = llb_source(g, "docker-image://x", NULL, NULL),
		       named = llb_source(g, "local://y", NULL, &meta);
	struct llb_out merged = llb_merge(g, (struct llb_out[]){image, named}, 2, NULL);
	struct llb_out diff = llb_diff(g, image, merged, NULL);
	const char *caps[] = {"constraints", "diffop",       "mergeop",      "meta.description",
			      "platform",    "source.image", "source.local", NULL};
	g_autoptr(llb_definition) d = marshal_load(g, diff, &(struct llb_load_options){.caps = caps}, &error);
	g_assert_no_error(error);
	int64_t index;
	const struct llb_vertex *v = llb_definition_result(d, &index);
	g_assert_cmpstr(v->name, ==, "diff (docker-image://x) -> (merge (docker-image://x, [1/2] FROM x))");
	g_assert_cmpuint(v->n_inputs, ==, 2);
	g_assert_cmpstr(v->inputs[1].vertex->name, ==, "merge (docker-image://x, [1/2] FROM x)");
	const struct llb_vertex *source = v->inputs[0].vertex;
	g_assert_cmpstr(source->op->platform->os, ==, "linux");
	g_assert_cmpstr(source->op->platform->architecture, ==, "amd64");
	struct digest digest;
	llb_out_digest(g, image, &digest);
	g_assert_true(digest_equal(&digest, &source->digest));
	g_assert_nonnull(v->op->platform); /* the host's platform */
}

static void test_annotate(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	Pb__Position start = PB__POSITION__INIT, end = PB__POSITION__INIT;
	Pb__Range range = PB__RANGE__INIT;
	start.line = 2;
	end.line = 3;
	end.character = 4;
	range.start = &start;
	range.end = &end;
	const Pb__Range *ranges[] = {&range, NULL};
	struct llb_meta meta = LLB_META_INIT;
	meta.source_index = llb_graph_add_source(g, "Dockerfile", "Dockerfile", "FROM x\n", 7, NULL);
	meta.ranges = ranges;
	g_autoptr(llb_definition) d = marshal_load(g, llb_source(g, "docker-image://x", NULL, &meta), NULL, &error);
	g_assert_no_error(error);
	int64_t index;
	const struct llb_vertex *v = llb_definition_result(d, &index);
	error_set(&error, ERROR_UNKNOWN, "bad");
	llb_vertex_annotate_error(v, error);
	const GPtrArray *details = error_get_details(error);
	g_assert_cmpuint(details->len, ==, 2);
	const struct error_detail *vertex = details->pdata[0], *source = details->pdata[1];
	g_autofree char *want = g_strdup_printf("{\"digest\":\"%s\"}", v->digest.text);
	g_assert_cmpstr(vertex->type, ==, "errdefs.Vertex");
	g_assert_cmpstr(vertex->json, ==, want);
	g_assert_cmpstr(source->type, ==, "errdefs.Source");
	g_assert_cmpstr(source->json, ==,
			"{\"info\":{\"filename\":\"Dockerfile\",\"data\":\"RlJPTSB4Cg==\",\"language\":\"Dockerfile\"},"
			"\"ranges\":[{\"start\":{\"line\":2},\"end\":{\"line\":3,\"character\":4}}]}");
}

static void test_op_json(void)
{
	Pb__Op op = PB__OP__INIT;
	Pb__Platform platform = PB__PLATFORM__INIT;
	Pb__WorkerConstraints constraints = PB__WORKER_CONSTRAINTS__INIT;
	Pb__SourceOp source = PB__SOURCE_OP__INIT;
	Pb__SourceOp__AttrsEntry z = PB__SOURCE_OP__ATTRS_ENTRY__INIT, a = PB__SOURCE_OP__ATTRS_ENTRY__INIT,
				 *attrs[] = {&z, &a};
	z.key = (char *)"z";
	a.key = (char *)"a";
	a.value = (char *)"<1>";
	platform.os = (char *)"linux";
	platform.architecture = (char *)"amd64";
	source.identifier = (char *)"local://x";
	source.attrs = attrs;
	source.n_attrs = 2;
	op.platform = &platform;
	op.constraints = &constraints;
	op.op_case = PB__OP__OP_SOURCE;
	op.source = &source;
	g_autofree char *json = llb_op_json(&op);
	g_assert_cmpstr(
		json, ==,
		"{\"Op\":{\"source\":{\"identifier\":\"local://x\",\"attrs\":{\"a\":\"\\u003c1\\u003e\",\"z\":\"\"}}},"
		"\"platform\":{\"Architecture\":\"amd64\",\"OS\":\"linux\"},\"constraints\":{}}");
	Pb__Op last = PB__OP__INIT;
	Pb__Input in = PB__INPUT__INIT, *inputs[] = {&in};
	in.digest = (char *)"sha256:x";
	in.index = 1;
	last.inputs = inputs;
	last.n_inputs = 1;
	g_autofree char *terminal = llb_op_json(&last);
	g_assert_cmpstr(terminal, ==, "{\"inputs\":[{\"digest\":\"sha256:x\",\"index\":1}],\"Op\":{}}");
	Pb__FileAction action = PB__FILE_ACTION__INIT;
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	Pb__ChownOpt owner = PB__CHOWN_OPT__INIT;
	Pb__UserOpt user = PB__USER_OPT__INIT;
	user.user_case = PB__USER_OPT__USER_BY_ID;
	owner.user = &user;
	mkdir.path = (char *)"/d";
	mkdir.owner = &owner;
	action.secondaryinput = -1;
	action.action_case = PB__FILE_ACTION__ACTION_MKDIR;
	action.mkdir = &mkdir;
	json_writer *w = json_writer_new(0);
	op_json_message(w, &action.base);
	g_autofree char *file = json_writer_take(&w, NULL);
	g_assert_cmpstr(file, ==,
			"{\"input\":0,\"secondaryInput\":-1,\"output\":0,"
			"\"Action\":{\"mkdir\":{\"path\":\"/d\",\"owner\":{\"user\":{\"User\":{}}}}}}");
	w = json_writer_new(0);
	op_protojson_message(w, &action.base);
	g_autofree char *proto = json_writer_take(&w, NULL);
	g_assert_cmpstr(proto, ==,
			"{\"secondaryInput\":\"-1\",\"mkdir\":{\"path\":\"/d\",\"owner\":{\"user\":{\"byID\":0}}}}");
}

/* L15, and a graph in which each level refers to the one below twice: each vertex is visited once. */
static void test_deep_diamonds(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_graph) g = llb_graph_new();
	struct llb_out out = llb_source(g, "docker-image://x", NULL, NULL);
	const char *caps[] = {"constraints", "mergeop", "platform", "source.image", NULL};
	for (int i = 0; i < 2000; i++)
		out = llb_merge(g, (struct llb_out[]){out, out}, 2, NULL);
	g_autoptr(llb_definition) d = marshal_load(g, out, &(struct llb_load_options){.caps = caps}, &error);
	g_assert_no_error(error);
	size_t n;
	llb_definition_vertices(d, &n);
	g_assert_cmpuint(n, ==, 2001);
}

/* Fails unless the definition is loaded in its canonical form, with the metadata; located: an error names its source. */
static void check_canonical(const Pb__Definition *pb, const struct digest *canonical, bool located)
{
	g_autoptr(GError) error = NULL, failure = NULL;
	int64_t index;
	g_autoptr(llb_definition) d = llb_load(pb, NULL, &error);
	g_assert_no_error(error);
	const struct llb_vertex *v = llb_definition_result(d, &index);
	g_assert_cmpstr(v->digest.text, ==, canonical->text);
	g_assert_true(v->ignore_cache);
	error_set(&failure, ERROR_UNKNOWN, "failed");
	llb_vertex_annotate_error(v, failure);
	g_assert_cmpint(error_has_detail(failure, "errdefs.Source"), ==, located);
}

/*
 * An op with another order of fields than Go's: its vertex has the digest of Go's encoding, its metadata is keyed by
 * the sent digest, and its locations by the former.
 */
static void test_other_form(void)
{
	Pb__SourceOp source = PB__SOURCE_OP__INIT;
	Pb__Platform platform = PB__PLATFORM__INIT;
	Pb__Op op = PB__OP__INIT;
	source.identifier = (char *)"local://context";
	platform.os = (char *)"linux";
	platform.architecture = (char *)"amd64";
	op.op_case = PB__OP__OP_SOURCE;
	op.source = &source;
	op.platform = &platform;
	struct digest sent, canonical;
	GBytes *bytes = message_pack(&op); /* sorted by number: the member of the one-of precedes the platform */
	g_autoptr(GBytes) again = llb_op_pack(&op);
	g_assert_false(g_bytes_equal(bytes, again));
	digest_of(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &sent);
	digest_of(g_bytes_get_data(again, NULL), g_bytes_get_size(again), &canonical);
	g_autoptr(GPtrArray) def = def_new();
	g_ptr_array_add(def, bytes);
	add_terminal(def, &sent, 0);

	Pb__Definition pb = PB__DEFINITION__INIT;
	ProtobufCBinaryData items[2];
	for (guint i = 0; i < 2; i++)
		items[i] = (ProtobufCBinaryData){.len = g_bytes_get_size(def->pdata[i]),
						 .data = (uint8_t *)g_bytes_get_data(def->pdata[i], NULL)};
	pb.def = items;
	pb.n_def = 2;
	Pb__OpMetadata metadata = PB__OP_METADATA__INIT;
	metadata.ignore_cache = true;
	Pb__Definition__MetadataEntry named = PB__DEFINITION__METADATA_ENTRY__INIT, *entries[] = {&named};
	named.key = sent.text;
	named.value = &metadata;
	pb.metadata = entries;
	pb.n_metadata = 1;
	Pb__SourceInfo info = PB__SOURCE_INFO__INIT, *infos[] = {&info};
	info.filename = (char *)"build.src";
	Pb__Location here = PB__LOCATION__INIT, *list[] = {&here};
	Pb__Locations locations = PB__LOCATIONS__INIT;
	locations.locations = list;
	locations.n_locations = 1;
	Pb__Source__LocationsEntry at = PB__SOURCE__LOCATIONS_ENTRY__INIT, *ats[] = {&at};
	at.value = &locations;
	Pb__Source side = PB__SOURCE__INIT;
	side.infos = infos;
	side.n_infos = 1;
	side.locations = ats;
	side.n_locations = 1;
	pb.source = &side;
	at.key = sent.text;
	check_canonical(&pb, &canonical, false);
	at.key = canonical.text;
	check_canonical(&pb, &canonical, true);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/definition/other-form", test_other_form);
	g_test_add_func("/definition/shape", test_shape);
	g_test_add_func("/definition/rewrite", test_rewrite);
	g_test_add_func("/definition/proxy", test_proxy);
	g_test_add_func("/definition/exec", test_exec);
	g_test_add_func("/definition/file", test_file);
	g_test_add_func("/definition/others", test_others);
	g_test_add_func("/definition/caps", test_caps);
	g_test_add_func("/definition/trap-5", test_trap_5);
	g_test_add_func("/definition/trap-6", test_trap_6);
	g_test_add_func("/definition/platform-and-names", test_platform_and_names);
	g_test_add_func("/definition/annotate", test_annotate);
	g_test_add_func("/definition/op-json", test_op_json);
	g_test_add_func("/definition/deep-diamonds", test_deep_diamonds);
	return g_test_run();
}
