/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/fingerprint.h"
#include "format/url_redact.h"
#include "llb/op_json.h"
#include "ops/fingerprint_internal.h"
#include "progress/progress.h"
#include <string.h>
#include <zstd.h>

#define ANCESTORS 8     /* number of ancestors whose names distinguish steps of equal names */
#define SHOWN_BYTES 300 /* longer values are stored as hashes */
/* Shorter ones are stored as they are: zstd allocates more than 100 KB for each call. They begin with a hex digit. */
#define PLAIN_BYTES 4096
#define ZSTD_MAGIC "\x28\xb5\x2f\xfd" /* RFC 8878, 3.1.1 */
#define PACKED_MAX (64 * 1024 * 1024)
#define FORMAT "(ssa(ssb)a(ssbbay))"

/* ---- names */

/* "[stage-0 2/5] RUN x": finds the end of the bracketed part, and the stage without its count. */
static const char *after_brackets(const char *name, char **ret_stage)
{
	const char *end = *name == '[' ? strstr(name, "] ") : NULL;
	*ret_stage = NULL;
	if (!end)
		return name;
	g_autofree char *inside = g_strndup(name + 1, (gsize)(end - name - 1));
	char *space = strrchr(inside, ' ');
	char *last = space ? space + 1 : inside;
	bool is_count = *last && strspn(last, "0123456789/") == strlen(last);
	*last = is_count ? '\0' : *last;
	*ret_stage = g_strdup(g_strchomp(inside));
	return end + 2;
}

static char *short_name(const struct llb_vertex *v)
{
	g_autofree char *stage = NULL;
	return g_strdup(after_brackets(v->name, &stage));
}

/* Removes the digest that pins an image, because it changes whenever the image does. */
static void feed_name(hasher *h, const struct llb_vertex *v)
{
	g_autofree char *stage = NULL;
	const char *text = after_brackets(v->name, &stage);
	const char *pin = v->type == LLB_SOURCE ? strstr(text, "@sha256:") : NULL;
	hasher_update(h, stage ? stage : "", stage ? strlen(stage) + 1 : 1);
	if (v->type == LLB_EXEC) /* the name contains unexpanded variables, the arguments expanded ones */
		for (size_t i = 0; i < v->op->exec->meta->n_args; i++)
			hasher_update(h, v->op->exec->meta->args[i], strlen(v->op->exec->meta->args[i]) + 1);
	else
		hasher_update(h, text, pin ? (size_t)(pin - text) : strlen(text));
	hasher_update(h, "", 1);
}

static void identity_of(const struct llb_vertex *v, struct digest *ret)
{
	g_autoptr(hasher) h = hasher_new_sha256();
	const struct llb_vertex *at = v;
	for (int i = 0; i < ANCESTORS && at->n_inputs > 0; i++, at = at->inputs[0].vertex)
		feed_name(h, at);
	while (at->n_inputs > 0)
		at = at->inputs[0].vertex;
	feed_name(h, at);
	hasher_finish(h, ret);
}

/* ---- facts */

static void add_fact(fingerprint *s, char *name /* taken */, const char *value, bool shown)
{
	struct fact *f = g_new(struct fact, 1);
	struct digest d;
	f->name = name;
	f->shown = shown && strlen(value) <= SHOWN_BYTES && g_utf8_validate(value, -1, NULL);
	if (!f->shown)
		digest_of(value, strlen(value), &d);
	/* Credentials in addresses are masked: facts are stored and shown. */
	f->value = f->shown ? url_redact_copy(value) : g_strndup(digest_hex(&d), 16);
	g_ptr_array_add(s->facts, f);
}

static void add_environment(fingerprint *s, const struct op *op, char *const *env, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *equals = strchr(env[i], '=');
		g_autofree char *name = equals ? g_strndup(env[i], (gsize)(equals - env[i])) : g_strdup(env[i]);
		g_autofree char *key = g_strconcat("build-arg:", name, NULL);
		add_fact(s, g_strconcat(VARIABLE_FACT, name, NULL), equals ? equals + 1 : "", false);
		if (op->attrs && g_hash_table_contains(op->attrs, key))
			add_fact(s, g_strconcat(ARGUMENT_FACT, name, NULL), "", true);
	}
}

static void add_mount(fingerprint *s, const Pb__Mount *m)
{
	static const char *const types[] = {"bind", "secret", "ssh", "cache", "tmpfs"};
	g_autofree char *text =
		g_strdup_printf("%s %s%s", (size_t)m->mounttype < G_N_ELEMENTS(types) ? types[m->mounttype] : "other",
				m->readonly ? "ro" : "rw", m->secretopt ? " " : "");
	g_autofree char *whole = g_strconcat(text, m->secretopt ? m->secretopt->id : "", NULL);
	add_fact(s, g_strconcat("mount ", m->dest, NULL), whole, true);
}

static void exec_facts(fingerprint *s, const struct op *op)
{
	const Pb__ExecOp *pb = op->v->op->exec;
	const Pb__Meta *meta = pb->meta;
	g_autoptr(GPtrArray) args = g_ptr_array_new();
	for (size_t i = 0; i < meta->n_args; i++)
		g_ptr_array_add(args, meta->args[i]);
	g_ptr_array_add(args, NULL);
	g_autofree char *command = g_strjoinv(" ", (char **)args->pdata);
	add_fact(s, g_strdup("command"), command, true);
	add_fact(s, g_strdup("working directory"), meta->cwd, true);
	add_fact(s, g_strdup("user"), meta->user, true);
	add_fact(s, g_strdup("host name"), meta->hostname, true);
	g_autofree char *modes = g_strdup_printf("%d %d", (int)pb->network, (int)pb->security);
	add_fact(s, g_strdup("network or security mode"), modes, true);
	add_environment(s, op, meta->env, meta->n_env);
	for (size_t i = 0; i < pb->n_mounts; i++)
		add_mount(s, pb->mounts[i]);
}

static void file_facts(fingerprint *s, const struct op *op)
{
	const Pb__FileOp *pb = op->v->op->file;
	for (size_t i = 0; i < pb->n_actions; i++) {
		json_writer *w = json_writer_new(0);
		op_json_message(w, (const ProtobufCMessage *)pb->actions[i]->copy); /* every member is a message */
		g_autofree char *json = json_writer_take(&w, NULL);
		add_fact(s, g_strdup_printf("action %zu", i + 1), json, true);
	}
}

static int fact_order(gconstpointer a, gconstpointer b)
{
	const struct fact *x = *(struct fact *const *)a, *y = *(struct fact *const *)b;
	return strcmp(x->name, y->name);
}

/* ---- inputs */

static bool is_image(const struct llb_vertex *v)
{
	const char *rest;
	const struct source_class *class =
		v->type == LLB_SOURCE ? source_class_find(v->op->source->identifier, &rest) : NULL;
	return class && class->material == SOURCE_MATERIAL_IMAGE;
}

int fingerprint_path_order(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	int x = (unsigned char)*a, y = (unsigned char)*b;
	return (x == '/' ? 1 : x * 2) - (y == '/' ? 1 : y * 2);
}

static int file_order(gconstpointer a, gconstpointer b)
{
	const struct contenthash_entry *x = *(struct contenthash_entry *const *)a,
				       *y = *(struct contenthash_entry *const *)b;
	return fingerprint_path_order(x->path, y->path);
}

/* The entries of one selector are sorted already. */
static void sort_files(GPtrArray *files)
{
	for (guint i = 1; i < files->len; i++) {
		if (file_order(&files->pdata[i - 1], &files->pdata[i]) > 0) {
			g_ptr_array_sort(files, file_order);
			return;
		}
	}
}

static void list_files(struct input *in, const struct op *op, unsigned i, cache_ref *r, struct work *work)
{
	g_autoptr(GArray) selectors = op->selectors(op, i);
	const struct contenthash_selector *list = (const struct contenthash_selector *)(const void *)selectors->data;
	struct digest digest;
	if (op_checksum(op, r, list, selectors->len, work, &digest, NULL))
		in->result = g_strdup(digest.text);
	in->files = cache_ref_list(op->worker->cache, r, list, selectors->len, FINGERPRINT_FILES, work, &in->all);
	if (in->files)
		sort_files(in->files);
}

static void add_input(fingerprint *s, const struct op *op, unsigned i, bool content, cache_ref *r, struct work *work)
{
	const struct llb_vertex *from = op->v->inputs[i].vertex;
	struct input *in = g_new0(struct input, 1);
	in->what = short_name(from);
	in->all = true;
	in->content = content && op->selectors;
	if (in->content)
		list_files(in, op, i, r, work);
	if (!in->files)
		in->files = g_ptr_array_new_with_free_func(contenthash_entry_free);
	if (!in->result)
		in->result = g_strdup(is_image(from) ? from->op->source->identifier : r ? cache_ref_id(r) : "");
	g_ptr_array_add(s->inputs, in);
}

/* ---- complete fingerprint */

static void fact_free(void *data)
{
	struct fact *f = data;
	g_free(f->name);
	g_free(f->value);
	g_free(f);
}

static void input_free(void *data)
{
	struct input *in = data;
	g_free(in->what);
	g_free(in->result);
	g_ptr_array_unref(in->files);
	g_free(in);
}

static fingerprint *fingerprint_empty(void)
{
	fingerprint *s = g_new0(fingerprint, 1);
	s->facts = g_ptr_array_new_with_free_func(fact_free);
	s->inputs = g_ptr_array_new_with_free_func(input_free);
	return s;
}

static bool map_of(const struct op *op, struct cache_map *ret)
{
	*ret = (struct cache_map){0};
	return op->v->type == LLB_EXEC ? ops_cache_map_exec(op->v, ret, NULL) : ops_cache_map_file(op->v, ret, NULL);
}

fingerprint *fingerprint_new(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work)
{
	struct cache_map map;
	struct digest identity;
	if ((op->v->type != LLB_EXEC && op->v->type != LLB_FILE) || !map_of(op, &map))
		return NULL;
	fingerprint *s = fingerprint_empty();
	identity_of(op->v, &identity);
	s->identity = g_strdup(digest_hex(&identity));
	s->name = short_name(op->v);
	add_fact(s, g_strdup(DEFINITION_FACT), map.digest, true);
	if (op->v->type == LLB_EXEC)
		exec_facts(s, op);
	else
		file_facts(s, op);
	g_ptr_array_sort(s->facts, fact_order);
	for (unsigned i = 0; i < n_inputs; i++)
		add_input(s, op, i, map.inputs[i].content, op_ref(inputs[i]), work);
	for (size_t i = 0; i < n_inputs; i++)
		g_free(map.inputs[i].selector);
	g_free(map.inputs);
	return s;
}

void fingerprint_free(fingerprint *s)
{
	if (!s)
		return;
	g_ptr_array_unref(s->facts);
	g_ptr_array_unref(s->inputs);
	g_free(s->identity);
	g_free(s->name);
	g_free(s->reason);
	g_free(s);
}

/* ---- serialization */

/* Bytes that are not valid UTF-8 cannot be stored as text. */
static void add_text(GVariantBuilder *b, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_variant_builder_add(b, "s", valid);
}

/* Path, NUL, digest; compressed because there may be many. */
static GByteArray *pack_files(const GPtrArray *files)
{
	GByteArray *bytes = g_byte_array_new();
	for (guint i = 0; i < files->len; i++) {
		const struct contenthash_entry *e = files->pdata[i];
		g_byte_array_append(bytes, (const guint8 *)e->path, (guint)strlen(e->path) + 1);
		g_byte_array_append(bytes, (const guint8 *)&e->digest, sizeof e->digest);
	}
	return bytes;
}

static GPtrArray *unpack_files(const char *at, size_t n)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(contenthash_entry_free);
	const char *end = at + n;
	for (const char *nul; at < end && (nul = memchr(at, '\0', (size_t)(end - at)));) {
		if ((size_t)(end - nul - 1) < sizeof(uint64_t))
			break;
		struct contenthash_entry *e = g_new(struct contenthash_entry, 1);
		e->path = g_strndup(at, (gsize)(nul - at));
		memcpy(&e->digest, nul + 1, sizeof e->digest);
		g_ptr_array_add(files, e);
		at = nul + 1 + sizeof e->digest;
	}
	return files;
}

static void pack_input(GVariantBuilder *b, const struct input *in)
{
	g_variant_builder_open(b, G_VARIANT_TYPE("(ssbbay)"));
	add_text(b, in->what);
	add_text(b, in->result);
	g_variant_builder_add(b, "b", in->content);
	g_variant_builder_add(b, "b", in->all);
	g_autoptr(GByteArray) files = pack_files(in->files);
	g_variant_builder_add_value(b, g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, files->data, files->len, 1));
	g_variant_builder_close(b);
}

GBytes *fingerprint_pack(const fingerprint *s)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE(FORMAT));
	add_text(&b, s->identity);
	add_text(&b, s->name);
	g_variant_builder_open(&b, G_VARIANT_TYPE("a(ssb)"));
	for (guint i = 0; i < s->facts->len; i++) {
		const struct fact *f = s->facts->pdata[i];
		g_variant_builder_open(&b, G_VARIANT_TYPE("(ssb)"));
		add_text(&b, f->name);
		add_text(&b, f->value);
		g_variant_builder_add(&b, "b", f->shown);
		g_variant_builder_close(&b);
	}
	g_variant_builder_close(&b);
	g_variant_builder_open(&b, G_VARIANT_TYPE("a(ssbbay)"));
	for (guint i = 0; i < s->inputs->len; i++)
		pack_input(&b, s->inputs->pdata[i]);
	g_variant_builder_close(&b);
	g_autoptr(GVariant) v = g_variant_ref_sink(g_variant_builder_end(&b));
	size_t n = g_variant_get_size(v), room = ZSTD_compressBound(n);
	if (n < PLAIN_BYTES)
		return g_variant_get_data_as_bytes(v);
	void *packed = g_malloc(room);
	size_t used = ZSTD_compress(packed, room, g_variant_get_data(v), n, 1);
	return g_bytes_new_take(packed, ZSTD_isError(used) ? 0 : used);
}

static GVariant *unpack_variant(GBytes *bytes)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	if (n >= 4 && n < PLAIN_BYTES && memcmp(data, ZSTD_MAGIC, 4) != 0)
		return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(FORMAT), bytes, FALSE));
	unsigned long long size = n ? ZSTD_getFrameContentSize(data, n) : 0;
	if (size == 0 || size > PACKED_MAX) /* invalid sizes are errors */
		return NULL;
	void *plain = g_malloc(size);
	size_t got = ZSTD_decompress(plain, size, data, n);
	if (ZSTD_isError(got) || got != size) {
		g_free(plain);
		return NULL;
	}
	g_autoptr(GBytes) all = g_bytes_new_take(plain, size);
	return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(FORMAT), all, FALSE));
}

static void unpack_input(fingerprint *s, GVariant *v)
{
	struct input *in = g_new0(struct input, 1);
	g_autoptr(GVariant) files = NULL;
	gboolean content, all;
	gsize n;
	g_variant_get(v, "(ssbb@ay)", &in->what, &in->result, &content, &all, &files);
	in->content = content;
	in->all = all;
	const void *bytes = g_variant_get_fixed_array(files, &n, 1);
	in->files = unpack_files(bytes, n);
	g_ptr_array_add(s->inputs, in);
}

fingerprint *fingerprint_unpack(GBytes *bytes)
{
	g_autoptr(GVariant) v = unpack_variant(bytes);
	if (!v || !g_variant_is_normal_form(v))
		return NULL;
	fingerprint *s = fingerprint_empty();
	g_autoptr(GVariantIter) facts = NULL, inputs = NULL;
	g_variant_get(v, FORMAT, &s->identity, &s->name, &facts, &inputs);
	char *name, *value;
	gboolean shown;
	while (g_variant_iter_next(facts, "(ssb)", &name, &value, &shown)) {
		struct fact *f = g_new(struct fact, 1);
		*f = (struct fact){name, value, shown};
		g_ptr_array_add(s->facts, f);
	}
	for (GVariant *one; (one = g_variant_iter_next_value(inputs)); g_variant_unref(one))
		unpack_input(s, one);
	return s;
}
