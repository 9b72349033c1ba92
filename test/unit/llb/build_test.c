/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/build.h"
#include "api/guard.h"

static const struct platform amd64 = {.os = "linux", .architecture = "amd64"};

static llb_graph *graph(void)
{
	llb_graph *g = llb_graph_new();
	llb_graph_set_platform(g, &amd64);
	return g;
}

static char *hex(const ProtobufCBinaryData *bytes)
{
	GString *s = g_string_new(NULL);
	for (size_t i = 0; i < bytes->len; i++)
		g_string_append_printf(s, "%02x", bytes->data[i]);
	return g_string_free(s, FALSE);
}

static char *text_hex(const char *text)
{
	ProtobufCBinaryData b = {.len = strlen(text), .data = (uint8_t *)text};
	return hex(&b);
}

/* Vectors: bytes that upstream's client marshals for the same operations. */
static void test_vector_mkfile(void)
{
	g_autoptr(llb_graph) g = graph();
	Pb__FileActionMkFile mkfile = PB__FILE_ACTION_MK_FILE__INIT;
	mkfile.path = (char *)"/EOT";
	mkfile.mode = 0644;
	mkfile.data = (ProtobufCBinaryData){.len = 5, .data = (uint8_t *)"hi b\n"};
	mkfile.timestamp = -1;
	struct llb_file_action action = {.type = PB__FILE_ACTION__ACTION_MKFILE, .mkfile = &mkfile};
	struct llb_out out = llb_file(g, (struct llb_out){0}, &action, 1, NULL);
	Pb__Definition *def = llb_marshal(g, out);
	g_assert_cmpuint(def->n_def, ==, 2);
	g_autofree char *op = hex(&def->def[0]);
	g_assert_cmpstr(op, ==,
			"5a002235123308ffffffffffffffffff0110ffffffffffffffffff012a1b0a042f454f5410a4031a05686920620a"
			"28ffffffffffffffffff01");
	struct digest d;
	llb_out_digest(g, out, &d);
	g_assert_cmpstr(d.text, ==, "sha256:d45ca624642ee754edfd40c254adb9293e84d00060d77b6fc483fd22f334e6f4");
	g_autofree char *last = hex(&def->def[1]);
	g_autofree char *digest_hex_text = text_hex(digest_hex(&d));
	g_autofree char *want = g_strconcat("0a490a477368613235363a", digest_hex_text, NULL);
	g_assert_cmpstr(last, ==, want);
	guard_free(def);
}

static struct llb_out busybox(llb_graph *g)
{
	return llb_source(g, "docker-image://docker.io/library/busybox:latest", NULL, NULL);
}

static struct llb_out echo(llb_graph *g, struct llb_out base, const struct llb_meta *meta)
{
	Pb__Meta m = PB__META__INIT;
	m.args = (char *[]){(char *)"echo", (char *)"hi"};
	m.n_args = 2;
	m.cwd = (char *)"/";
	struct llb_exec_mount root = {.source = base, .dest = "/"};
	return llb_exec(g, &(struct llb_exec_spec){.meta = &m, .mounts = &root, .n_mounts = 1}, meta);
}

static void test_vector_exec(void)
{
	g_autoptr(llb_graph) g = graph();
	struct llb_out base = busybox(g), out = echo(g, base, NULL);
	struct digest image, exec;
	llb_out_digest(g, base, &image);
	llb_out_digest(g, out, &exec);
	g_assert_cmpstr(image.text, ==, "sha256:e1432b8e2054abb034451c15f0a8ad49d07f5892ca266016226fec77e95d20a0");
	Pb__Definition *def = llb_marshal(g, out);
	g_assert_cmpuint(def->n_def, ==, 3);
	g_autofree char *image_hex = hex(&def->def[0]);
	g_assert_cmpstr(image_hex, ==,
			"520e0a05616d64363412056c696e75785a001a310a2f646f636b65722d696d6167653a2f2f646f636b65722e"
			"696f2f6c6962726172792f62757379626f783a6c6174657374");
	g_autofree char *digest_text = text_hex(image.text);
	g_autofree char *exec_hex = hex(&def->def[1]);
	g_autofree char *want = g_strconcat(
		"0a490a47", digest_text,
		"520e0a05616d64363412056c696e75785a0012160a0f0a046563686f0a0268691a012f580112031a012f", NULL);
	g_assert_cmpstr(exec_hex, ==, want);
	g_assert_cmpstr(exec.text, ==, "sha256:d65dfb3d39c3320531497b89336bcd7152846eb42a25c207b357b66b81c5668a");
	guard_free(def);
}

/* Map entries are sorted and always have both fields. */
static void test_source_attrs(void)
{
	g_autoptr(llb_graph) g = graph();
	const char *attrs[] = {"local.unique", "", "local.includepattern", "[\"a\"]", NULL};
	struct llb_out out = llb_source(g, "local://context", attrs, NULL);
	Pb__Definition *def = llb_marshal(g, out);
	g_autofree char *got = hex(&def->def[0]);
	g_autofree char *id = text_hex("local://context");
	g_autofree char *include = text_hex("local.includepattern");
	g_autofree char *pattern = text_hex("[\"a\"]");
	g_autofree char *unique = text_hex("local.unique");
	g_autofree char *want =
		g_strdup_printf("5a001a420a0f%s121d0a14%s1205%s12100a0c%s1200", id, include, pattern, unique);
	g_assert_cmpstr(got, ==, want);
	g_assert_cmpuint(def->metadata[0]->value->n_caps, ==, 3);
	guard_free(def);
}

static void test_exec_mounts(void)
{
	g_autoptr(llb_graph) g = graph();
	struct llb_out base = busybox(g);
	Pb__Meta m = PB__META__INIT;
	m.args = (char *[]){(char *)"x"};
	m.n_args = 1;
	m.cwd = (char *)"/";
	struct llb_exec_mount mounts[] = {
		{.type = PB__MOUNT_TYPE__SSH, .secret_id = "default", .mode = 0600},
		{.type = PB__MOUNT_TYPE__SECRET, .secret_id = "s", .dest = "/a-secret"},
		{.dest = "/z"},
		{.source = base, .dest = "/"},
		{.source = base, .dest = "/ro", .readonly = true, .selector = "/etc"},
		{.type = PB__MOUNT_TYPE__CACHE,
		 .dest = "/cache",
		 .cache_id = "//cache",
		 .sharing = PB__CACHE_SHARING_OPT__LOCKED},
		{.type = PB__MOUNT_TYPE__TMPFS, .dest = "/tmp", .tmpfs_size = 7},
	};
	struct llb_out out = llb_exec(g, &(struct llb_exec_spec){.meta = &m, .mounts = mounts, .n_mounts = 7}, NULL);
	g_assert_cmpint(out.index, ==, 0);
	g_assert_cmpint(llb_exec_mount_out(out, "/z").index, ==, 1);
	g_assert_true(llb_exec_mount_out(out, "/ro").node == base.node);
	g_assert_null(llb_exec_mount_out(out, "/tmp").node);
	Pb__Definition *def = llb_marshal(g, llb_exec_mount_out(out, "/z"));
	g_autoptr(GError) error = NULL;
	Pb__Op *op = guard_unpack(&pb__op__descriptor, def->def[1].data, def->def[1].len, &error);
	g_assert_no_error(error);
	static const char *const dests[] = {
		"/", "/cache", "/ro", "/tmp", "/z", "/a-secret", "/run/buildkit/ssh_agent.0"};
	static const int outputs[] = {0, -1, -1, -1, 1, 0, 0}, inputs[] = {0, -1, 0, -1, -1, -1, -1};
	g_assert_cmpuint(op->exec->n_mounts, ==, 7);
	g_assert_cmpuint(op->n_inputs, ==, 1);
	for (size_t i = 0; i < 7; i++) {
		g_assert_cmpstr(op->exec->mounts[i]->dest, ==, dests[i]);
		g_assert_cmpint(op->exec->mounts[i]->output, ==, outputs[i]);
		g_assert_cmpint(op->exec->mounts[i]->input, ==, inputs[i]);
	}
	g_assert_cmpstr(op->exec->meta->env[0], ==, "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0");
	guard_free(op);
	guard_free(def);
}

static void test_readonly_root(void)
{
	g_autoptr(llb_graph) g = graph();
	struct llb_out base = busybox(g);
	Pb__Meta m = PB__META__INIT;
	m.args = (char *[]){(char *)"x"};
	m.n_args = 1;
	struct llb_exec_mount mounts[] = {{.source = base, .dest = "/", .readonly = true}, {.dest = "/out"}};
	struct llb_out out = llb_exec(g, &(struct llb_exec_spec){.meta = &m, .mounts = mounts, .n_mounts = 2}, NULL);
	struct digest a, b;
	llb_out_digest(g, out, &a);
	llb_out_digest(g, base, &b);
	g_assert_true(digest_equal(&a, &b));
	g_assert_cmpint(llb_exec_mount_out(out, "/out").index, ==, 0);
}

/* Equal ops are marshalled once with descriptions and locations of both; diamonds are visited once. */
static void test_equal_nodes(void)
{
	g_autoptr(llb_graph) g = graph();
	int file = llb_graph_add_source(g, "Dockerfile", "Dockerfile", "FROM x", 6, NULL);
	g_assert_cmpint(llb_graph_add_source(g, "other", "", "", 0, NULL), ==, 1);
	g_assert_cmpint(llb_graph_add_source(g, "Dockerfile", "Dockerfile", "FROM x", 6, NULL), ==, file);
	Pb__Position p = PB__POSITION__INIT;
	Pb__Range range = PB__RANGE__INIT;
	p.line = 3;
	range.start = range.end = &p;
	const Pb__Range *ranges[] = {&range, NULL};
	struct llb_meta a = LLB_META_INIT, b = LLB_META_INIT;
	a.custom_name = "one";
	a.source_index = file;
	a.ranges = ranges;
	b.custom_name = "two";
	b.ignore_cache = true;
	b.source_index = file;
	b.ranges = ranges;
	struct llb_out base = busybox(g);
	struct llb_out left = echo(g, base, &a), right = echo(g, base, &b);
	struct llb_out top = llb_merge(g, (struct llb_out[]){left, {0}, right, base}, 4, NULL);
	Pb__Definition *def = llb_marshal(g, top);
	g_assert_cmpuint(def->n_def, ==, 4);
	struct digest d;
	llb_out_digest(g, left, &d);
	const Pb__OpMetadata *meta = def->metadata[1]->value;
	g_assert_cmpstr(def->metadata[1]->key, ==, d.text);
	g_assert_true(meta->ignore_cache);
	g_assert_cmpuint(meta->n_description, ==, 1);
	g_assert_cmpstr(meta->description[0]->value, ==, "two");
	g_assert_cmpuint(def->source->n_infos, ==, 1);
	g_assert_cmpuint(def->source->n_locations, ==, 3);
	g_assert_cmpuint(def->source->locations[1]->value->n_locations, ==, 2);
	g_assert_cmpint(def->source->locations[1]->value->locations[1]->ranges[0]->start->line, ==, 3);
	const Pb__OpMetadata *last = def->metadata[3]->value;
	g_assert_cmpuint(last->n_caps, ==, 4);
	guard_free(def);
}

static struct llb_out named_source(llb_graph *g, const char *identifier, const char *name, int file)
{
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = name;
	meta.source_index = file;
	return llb_source(g, identifier, NULL, &meta);
}

/* A mount with the same source as the root is visited after the root: its name and the locations of both are kept. */
static void test_equal_inputs(void)
{
	g_autoptr(llb_graph) g = graph();
	int file = llb_graph_add_source(g, "Dockerfile", "Dockerfile", "FROM x", 6, NULL);
	static const char image[] = "docker-image://docker.io/library/busybox:latest";
	Pb__Meta m = PB__META__INIT;
	m.args = (char *[]){(char *)"x"};
	m.n_args = 1;
	struct llb_exec_mount mounts[] = {
		{.source = named_source(g, image, "mount", file), .dest = "/m", .readonly = true},
		{.source = named_source(g, image, "root", file), .dest = "/"},
	};
	struct llb_out out = llb_exec(g, &(struct llb_exec_spec){.meta = &m, .mounts = mounts, .n_mounts = 2}, NULL);
	Pb__Definition *def = llb_marshal(g, out);
	g_assert_cmpuint(def->n_def, ==, 3);
	g_assert_cmpuint(def->metadata[0]->value->n_description, ==, 1);
	g_assert_cmpstr(def->metadata[0]->value->description[0]->value, ==, "mount");
	g_assert_cmpuint(def->source->locations[0]->value->n_locations, ==, 2);
	Pb__Op *op = guard_unpack(&pb__op__descriptor, def->def[1].data, def->def[1].len, NULL);
	g_assert_cmpuint(op->n_inputs, ==, 1);
	guard_free(op);
	guard_free(def);
}

/* Sources of a chain of copies are visited from the last action to the first, after the base. */
static void test_file_visits(void)
{
	for (int with_base = 0; with_base < 2; with_base++) {
		g_autoptr(llb_graph) g = graph();
		int files[] = {llb_graph_add_source(g, "one", "", "1", 1, NULL),
			       llb_graph_add_source(g, "two", "", "2", 1, NULL)};
		Pb__FileActionCopy copy = PB__FILE_ACTION_COPY__INIT;
		copy.src = copy.dest = (char *)"/";
		struct llb_file_action actions[] = {
			{.type = PB__FILE_ACTION__ACTION_COPY,
			 .copy = &copy,
			 .from = named_source(g, "local://one", "one", files[0])},
			{.type = PB__FILE_ACTION__ACTION_COPY,
			 .copy = &copy,
			 .from = named_source(g, "local://two", "two", files[1])},
		};
		struct llb_out base = with_base ? busybox(g) : (struct llb_out){0};
		Pb__Definition *def = llb_marshal(g, llb_file(g, base, actions, 2, NULL));
		g_assert_cmpint((int)def->n_def, ==, 4 + with_base);
		static const char *const want[] = {"two", "one"};
		for (int i = 0; i < 2; i++) {
			const Pb__OpMetadata *metadata = def->metadata[i + with_base]->value;
			g_assert_cmpstr(metadata->description[0]->value, ==, want[i]);
			g_assert_cmpstr(def->source->infos[i]->filename, ==, want[i]);
		}
		guard_free(def);
	}
}

/* Source files are numbered in the order of visits, also those of equal ops. */
static void test_source_order(void)
{
	g_autoptr(llb_graph) g = graph();
	int a = llb_graph_add_source(g, "a", "", "a", 1, NULL), b = llb_graph_add_source(g, "b", "", "b", 1, NULL),
	    c = llb_graph_add_source(g, "c", "", "c", 1, NULL);
	struct llb_out inputs[] = {named_source(g, "local://x", "x", a), named_source(g, "local://y", "y", b),
				   named_source(g, "local://x", "x again", c)};
	Pb__Definition *def = llb_marshal(g, llb_merge(g, inputs, 3, NULL));
	static const char *const want[] = {"a", "b", "c"};
	g_assert_cmpuint(def->source->n_infos, ==, 3);
	for (int i = 0; i < 3; i++)
		g_assert_cmpstr(def->source->infos[i]->filename, ==, want[i]);
	g_assert_cmpuint(def->source->locations[0]->value->n_locations, ==, 2);
	g_assert_cmpint(def->source->locations[0]->value->locations[1]->sourceindex, ==, 2);
	guard_free(def);
	/* Definitions that end with an empty op are compared as well. */
	Pb__Definition ends[2] = {PB__DEFINITION__INIT, PB__DEFINITION__INIT};
	ProtobufCBinaryData nothing = {0};
	for (int i = 0; i < 2; i++) {
		ends[i].n_def = 1;
		ends[i].def = &nothing;
	}
	int d = llb_graph_add_source(g, "d", "", "d", 1, &ends[0]);
	g_assert_cmpint(llb_graph_add_source(g, "d", "", "d", 1, &ends[1]), ==, d);
}

static void test_import(void)
{
	g_autoptr(llb_graph) g = graph();
	struct llb_out out = echo(g, busybox(g), NULL);
	Pb__Definition *def = llb_marshal(g, out);
	g_autoptr(llb_graph) other = graph();
	g_autoptr(GError) error = NULL;
	struct llb_out grafted = llb_import(other, def, &error);
	g_assert_no_error(error);
	Pb__Definition *again = llb_marshal(other, grafted);
	g_assert_cmpuint(again->n_def, ==, def->n_def);
	for (size_t i = 0; i < def->n_def; i++) {
		g_autofree char *x = hex(&def->def[i]), *y = hex(&again->def[i]);
		g_assert_cmpstr(x, ==, y);
	}
	guard_free(again);
	def->def[0].data[3] ^= 1; /* the exec's input is gone */
	g_assert_null(llb_import(other, def, &error).node);
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==,
			"failed to parse llb proto op: proto: Platform: wiretype end group for non-group");
	guard_free(def);
	Pb__Definition empty = PB__DEFINITION__INIT;
	g_clear_error(&error);
	g_assert_null(llb_import(other, &empty, &error).node);
	g_assert_no_error(error);
}

static void test_file_chain(void)
{
	g_autoptr(llb_graph) g = graph();
	struct llb_out base = busybox(g), context = llb_source(g, "local://context", NULL, NULL);
	Pb__FileActionCopy copy = PB__FILE_ACTION_COPY__INIT;
	Pb__ChownOpt owner = PB__CHOWN_OPT__INIT;
	Pb__UserOpt user = PB__USER_OPT__INIT, group = PB__USER_OPT__INIT;
	Pb__NamedUserOpt named = PB__NAMED_USER_OPT__INIT;
	named.name = (char *)"bob";
	named.input = 9;
	user.user_case = PB__USER_OPT__USER_BY_NAME;
	user.byname = &named;
	group.user_case = PB__USER_OPT__USER_BY_ID;
	owner.user = &user;
	owner.group = &group;
	copy.src = (char *)"/a";
	copy.dest = (char *)"/b";
	copy.owner = &owner;
	struct llb_file_action actions[] = {
		{.type = PB__FILE_ACTION__ACTION_COPY, .copy = &copy, .from = context, .owner_from_base = true},
		{.type = PB__FILE_ACTION__ACTION_COPY, .copy = &copy, .from = context},
	};
	struct llb_out out = llb_file(g, base, actions, 2, NULL);
	Pb__Definition *def = llb_marshal(g, out);
	Pb__Op *op = guard_unpack(&pb__op__descriptor, def->def[2].data, def->def[2].len, NULL);
	g_assert_cmpuint(op->n_inputs, ==, 2);
	const Pb__FileAction *first = op->file->actions[0], *second = op->file->actions[1];
	g_assert_cmpint(first->input, ==, 0);
	g_assert_cmpint(first->secondaryinput, ==, 1);
	g_assert_cmpint(first->output, ==, -1);
	g_assert_cmpint(second->input, ==, 2);
	g_assert_cmpint(second->output, ==, 0);
	g_assert_cmpint(first->copy->owner->user->byname->input, ==, 0);
	g_assert_cmpint(second->copy->owner->user->byname->input, ==, 9);
	guard_free(op);
	guard_free(def);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/build/vector-mkfile", test_vector_mkfile);
	g_test_add_func("/build/vector-exec", test_vector_exec);
	g_test_add_func("/build/source-attrs", test_source_attrs);
	g_test_add_func("/build/exec-mounts", test_exec_mounts);
	g_test_add_func("/build/readonly-root", test_readonly_root);
	g_test_add_func("/build/equal-nodes", test_equal_nodes);
	g_test_add_func("/build/equal-inputs", test_equal_inputs);
	g_test_add_func("/build/file-visits", test_file_visits);
	g_test_add_func("/build/source-order", test_source_order);
	g_test_add_func("/build/import", test_import);
	g_test_add_func("/build/file-chain", test_file_chain);
	return g_test_run();
}
