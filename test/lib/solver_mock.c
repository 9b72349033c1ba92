/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/solver_mock.h"
#include "api/guard.h"
#include "api/message.h"
#include "llb/build.h"

/* ---- results */

struct value {
	gint refs;
	struct mock *mock;
	char *text, *id;
};

static struct value *value_new(struct mock *m, char *text, char *id)
{
	struct value *v = g_new0(struct value, 1);
	v->refs = 1;
	v->mock = m;
	v->text = text;
	v->id = id;
	g_atomic_int_inc(&m->live);
	return v;
}

static void *value_ref(void *result)
{
	g_atomic_int_inc(&((struct value *)result)->refs);
	return result;
}

static void value_unref(void *result)
{
	struct value *v = result;
	if (!g_atomic_int_dec_and_test(&v->refs))
		return;
	g_atomic_int_add(&v->mock->live, -1);
	g_free(v->text);
	g_free(v->id);
	g_free(v);
}

static char *value_save(void *data, void *result, int64_t *ret_created_ns)
{
	struct mock *m = data;
	struct value *v = result;
	if (!v)
		return g_strdup("");
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	if (!v->id)
		v->id = g_strdup_printf("mock::%u", m->next_id++);
	g_hash_table_replace(m->stored, g_strdup(v->id), g_strdup(v->text));
	return g_strdup(v->id);
}

static bool value_load(void *data, const char *id, struct work *work, void **ret_result, GError **error)
{
	struct mock *m = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	const char *text = g_hash_table_lookup(m->stored, id);
	struct mock_vertex *v = g_hash_table_lookup(m->by_digest, progress_sink_digest(work->progress));
	if (v)
		g_atomic_int_inc(&v->n_load);
	if (!text || g_hash_table_contains(m->broken, id))
		return error_set(error, ERROR_NOT_FOUND, "%s: not found", id);
	*ret_result = value_new(m, g_strdup(text), g_strdup(id));
	return true;
}

static bool value_exists(void *data, const char *id)
{
	struct mock *m = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	return g_hash_table_contains(m->stored, id);
}

static const struct solver_result_class value_class = {
	.ref = value_ref, .unref = value_unref, .save = value_save, .load = value_load, .exists = value_exists};

/* ---- ops */

struct mock_op {
	struct mock_vertex *spec;
};

static bool op_cache_map(void *op, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	struct mock_vertex *v = ((struct mock_op *)op)->spec;
	g_atomic_int_inc(&v->n_map);
	if (v->fail_map)
		return error_set(error, ERROR_UNKNOWN, "%s", v->fail_map);
	g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, v->keys[phase], -1);
	g_snprintf(ret->digest, sizeof ret->digest, "%s:%s", v->random ? "random" : "sha256", hash);
	ret->last = phase + 1 == v->n_keys;
	ret->inputs = g_new0(struct cache_map_input, v->n_inputs + 1);
	for (size_t i = 0; i < v->n_inputs; i++) {
		ret->inputs[i].selector = g_strdup(v->selector[i]);
		ret->inputs[i].content = v->content[i];
	}
	return true;
}

static bool gate_wait(struct mock *m, const char *gate, struct work *work, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	while (gate && !g_hash_table_contains(m->open_gates, gate)) {
		if (!cancel_check(work->cancel, error))
			return false;
		g_cond_wait_until(&m->changed, &m->mu, g_get_monotonic_time() + 2000);
	}
	return true;
}

static bool op_content_key(void *op, struct work *work, unsigned input, void *result, struct digest *ret,
			   GError **error)
{
	struct mock_vertex *v = ((struct mock_op *)op)->spec;
	g_atomic_int_inc(&v->n_content);
	if (!gate_wait(v->mock, v->content_gate, work, error))
		return false;
	if (v->fail_content)
		return error_set(error, ERROR_UNKNOWN, "%s", v->fail_content);
	g_autofree char *text =
		g_strdup_printf("%s/%s", ((struct value *)result)->text, v->selector[input] ? v->selector[input] : "");
	digest_of_text(text, ret);
	return true;
}

static char *value_text(const struct mock_vertex *v, const char *const *inputs, int64_t index)
{
	if (v->nest)
		return strcmp(v->nest, "-") == 0 ? g_strdup("") : mock_reference(mock_vertex_find(v->mock, v->nest), 0);
	if (v->value)
		return g_strdup(v->value);
	GString *s = g_string_new(v->keys[v->n_keys - 1]);
	if (index > 0)
		g_string_append_printf(s, "#%d", (int)index);
	for (size_t i = 0; i < v->n_inputs; i++)
		g_string_append_printf(s, "%s%s%s", i == 0 ? "(" : ",", v->selector[i] ? v->selector[i] : "",
				       inputs[i]);
	if (v->n_inputs > 0)
		g_string_append_c(s, ')');
	if (s->len > 200) { /* shared inputs double the length of the text at every level */
		g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, s->str, -1);
		g_string_assign(s, hash);
	}
	return g_string_free(s, FALSE);
}

/* Vertices with inputs before their users; no recursion. */
static GPtrArray *in_order(const struct mock *m)
{
	GPtrArray *order = g_ptr_array_new();
	g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
	while (order->len < m->vertices->len) {
		guint before = order->len;
		for (guint i = 0; i < m->vertices->len; i++) {
			struct mock_vertex *v = m->vertices->pdata[i];
			bool ready = !g_hash_table_contains(done, v);
			for (size_t k = 0; k < v->n_inputs; k++)
				ready &= g_hash_table_contains(done, v->inputs[k]);
			if (!ready)
				continue;
			g_hash_table_add(done, v);
			g_ptr_array_add(order, v);
		}
		g_assert_cmpuint(order->len, >, before);
	}
	return order;
}

char *mock_reference(const struct mock_vertex *target, int64_t index)
{
	g_autoptr(GPtrArray) order = in_order(target->mock);
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free); /* MOCK_OUTPUTS per vertex */
	for (guint i = 0; i < order->len; i++) {
		const struct mock_vertex *v = order->pdata[i];
		const char *inputs[MOCK_INPUTS] = {0};
		for (size_t k = 0; k < v->n_inputs; k++) {
			guint at;
			g_assert_true(g_ptr_array_find(order, v->inputs[k], &at));
			inputs[k] = texts->pdata[at * MOCK_OUTPUTS + (guint)v->input_index[k]];
		}
		for (int64_t o = 0; o < MOCK_OUTPUTS; o++)
			g_ptr_array_add(texts, value_text(v, inputs, o));
		if (v == target)
			return g_strdup(texts->pdata[i * MOCK_OUTPUTS + (guint)index]);
	}
	return NULL;
}

static bool op_exec(void *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		    size_t n_outputs, GError **error)
{
	struct mock_vertex *v = ((struct mock_op *)op)->spec;
	struct mock *m = v->mock;
	g_atomic_int_inc(&v->n_exec);
	g_mutex_lock(&m->mu);
	v->compat_version = work->compat_version;
	v->compat_conflict = work->compat_conflict;
	m->running++;
	m->max_running = MAX(m->max_running, m->running);
	g_mutex_unlock(&m->mu);
	if (v->delay_us)
		g_usleep(v->delay_us);
	bool ok = gate_wait(v->mock, v->gate, work, error);
	g_mutex_lock(&m->mu);
	m->running--;
	g_mutex_unlock(&m->mu);
	if (!ok)
		return false;
	if (v->fail_exec)
		return error_set(error, ERROR_UNKNOWN, "%s", v->fail_exec);
	const char *texts[MOCK_INPUTS] = {0};
	for (size_t i = 0; i < n_inputs; i++)
		texts[i] = inputs[i] ? ((struct value *)inputs[i])->text : "";
	for (size_t i = 0; i < n_outputs; i++)
		ret_outputs[i] = value_new(m, value_text(v, texts, (int64_t)i), NULL);
	return true;
}

static Pb__Definition *marshal(struct mock *m, const char *name, int64_t index);

static Pb__Definition *op_definition(void *op, struct work *work, void *const *inputs, size_t n_inputs, GError **error)
{
	struct mock_vertex *v = ((struct mock_op *)op)->spec;
	g_atomic_int_inc(&v->n_exec);
	if (!gate_wait(v->mock, v->gate, work, error))
		return NULL;
	if (v->fail_exec) {
		error_set(error, ERROR_UNKNOWN, "%s", v->fail_exec);
		return NULL;
	}
	return marshal(v->mock, v->nest, 0);
}

static const struct solver_op_class nest_class = {
	.cache_map = op_cache_map, .content_key = op_content_key, .definition = op_definition, .free = g_free};

#define OP_CLASS(slot)                                                                                                 \
	{                                                                                                              \
		.cache_map = op_cache_map, .content_key = op_content_key, .exec = op_exec, .free = g_free,             \
		.takes_slot = slot                                                                                     \
	}
static const struct solver_op_class op_classes[2] = {OP_CLASS(false), OP_CLASS(true)};

static bool resolve(void *data, const struct llb_vertex *vertex, solver_job *job, struct solver_op *ret, GError **error)
{
	struct mock_vertex *v = mock_vertex_find(data, vertex->op->exec->meta->args[0]);
	struct mock_op *op = g_new0(struct mock_op, 1);
	op->spec = v;
	ret->self = op;
	ret->class = v->nest ? &nest_class : &op_classes[v->slot];
	ret->map_is_pure = !v->nest && v->pure;
	return true;
}

/* ---- specs and definitions */

void mock_restart(struct mock *m, int root_fd)
{
	solver_free(m->solver);
	g_autoptr(GError) error = NULL;
	m->solver = solver_new(&(struct solver_options){.resolve = resolve,
							.results = &value_class,
							.data = m,
							.root_fd = root_fd,
							.max_parallelism = 2,
							.max_threads = 16},
			       &error);
	g_assert_no_error(error);
}

struct mock *mock_new(int root_fd)
{
	struct mock *m = g_new0(struct mock, 1);
	m->vertices = g_ptr_array_new();
	g_mutex_init(&m->mu);
	g_cond_init(&m->changed);
	m->stored = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	m->by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->broken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->open_gates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	mock_restart(m, root_fd);
	return m;
}

static void vertex_clear(struct mock_vertex *v)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(v->keys); i++)
		g_free(v->keys[i]);
	for (unsigned i = 0; i < MOCK_INPUTS; i++)
		g_free(v->selector[i]);
	g_free(v->name);
	g_free(v->version);
	g_free(v->fail_map);
	g_free(v->fail_exec);
	g_free(v->fail_content);
	g_free(v->value);
	g_free(v->nest);
	g_free(v->gate);
	g_free(v->content_gate);
	g_free(v);
}

void mock_free(struct mock *m)
{
	solver_free(m->solver);
	g_assert_cmpint(m->live, ==, 0);
	for (guint i = 0; i < m->vertices->len; i++)
		vertex_clear(m->vertices->pdata[i]);
	g_ptr_array_unref(m->vertices);
	g_hash_table_unref(m->stored);
	g_hash_table_unref(m->by_digest);
	g_hash_table_unref(m->broken);
	g_hash_table_unref(m->open_gates);
	g_mutex_clear(&m->mu);
	g_cond_clear(&m->changed);
	g_free(m);
}

struct mock_vertex *mock_vertex_find(struct mock *m, const char *name)
{
	for (guint i = 0; i < m->vertices->len; i++)
		if (strcmp(((struct mock_vertex *)m->vertices->pdata[i])->name, name) == 0)
			return m->vertices->pdata[i];
	return NULL;
}

struct mock_vertex *mock_vertex_add(struct mock *m, const char *name)
{
	struct mock_vertex *v = g_new0(struct mock_vertex, 1);
	v->name = g_strdup(name);
	v->mock = m;
	mock_vertex_set_key(v, 0, name);
	g_ptr_array_add(m->vertices, v);
	return v;
}

void mock_vertex_set_key(struct mock_vertex *v, unsigned phase, const char *key)
{
	g_free(v->keys[phase]);
	v->keys[phase] = g_strdup(key);
	v->n_keys = MAX(v->n_keys, phase + 1);
}

static struct llb_out out_at(struct llb_out out, int64_t index)
{
	out.index = (int)index;
	return out;
}

static struct llb_out vertex_out(llb_graph *g, const struct mock_vertex *v, GHashTable *made)
{
	Pb__Meta meta = PB__META__INIT;
	char *args[] = {v->name, v->version};
	meta.args = args;
	meta.n_args = v->version ? 2 : 1;
	struct llb_exec_mount mounts[2 * MOCK_INPUTS + 1] = {{.dest = "/"}};
	char dests[2 * MOCK_INPUTS][16];
	size_t n = 1;
	for (size_t i = 0; i < v->n_inputs; i++) {
		g_snprintf(dests[n], sizeof dests[n], "/in%zu", i);
		const struct llb_out *source = g_hash_table_lookup(made, v->inputs[i]);
		mounts[n] = (struct llb_exec_mount){
			.dest = dests[n], .source = out_at(*source, v->input_index[i]), .readonly = true};
		n++;
	}
	for (unsigned i = 1; i < v->outputs; i++) {
		g_snprintf(dests[n], sizeof dests[n], "/out%u", i);
		mounts[n] = (struct llb_exec_mount){.dest = dests[n]};
		n++;
	}
	struct llb_meta lm = LLB_META_INIT;
	lm.ignore_cache = v->ignore_cache;
	return llb_exec(g, &(struct llb_exec_spec){.meta = &meta, .mounts = mounts, .n_mounts = n}, &lm);
}

static Pb__Definition *marshal(struct mock *m, const char *name, int64_t index)
{
	g_autoptr(llb_graph) g = llb_graph_new();
	g_autoptr(GPtrArray) order = in_order(m);
	g_autoptr(GHashTable) made = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	if (strcmp(name, "-") == 0) {
		static const Pb__Definition scratch = PB__DEFINITION__INIT;
		return message_copy(&scratch);
	}
	for (guint i = 0; i < order->len; i++) {
		struct llb_out out = vertex_out(g, order->pdata[i], made);
		g_hash_table_insert(made, order->pdata[i], g_memdup2(&out, sizeof out));
	}
	const struct llb_out *target = g_hash_table_lookup(made, mock_vertex_find(m, name));
	return llb_marshal(g, out_at(*target, index));
}

bool mock_load(void *data, const Pb__Definition *definition, struct work *work, llb_definition **ret, GError **error)
{
	struct mock *m = data;
	*ret = NULL;
	if (definition->n_def == 0)
		return true;
	*ret = llb_load(definition, NULL, error);
	if (!*ret)
		return false;
	size_t n;
	const struct llb_vertex *const *vertices = llb_definition_vertices(*ret, &n);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	for (size_t i = 0; i < n; i++)
		g_hash_table_insert(m->by_digest, g_strdup(vertices[i]->digest.text),
				    mock_vertex_find(m, vertices[i]->op->exec->meta->args[0]));
	return true;
}

llb_definition *mock_definition(struct mock *m, const char *name, int64_t index)
{
	g_autoptr(GError) error = NULL;
	Pb__Definition *pb = marshal(m, name, index);
	llb_definition *d = NULL;
	mock_load(m, pb, NULL, &d, &error);
	g_assert_no_error(error);
	guard_free(pb);
	return d;
}

bool mock_build(struct mock *m, solver_job *job, const char *name, int64_t index, cancel *c, char **ret_value,
		GError **error)
{
	g_autoptr(llb_definition) d = mock_definition(m, name, index);
	int64_t result_index;
	const struct llb_vertex *v = llb_definition_result(d, &result_index);
	struct value *value = NULL;
	if (!solver_job_build(job, v, result_index, c, (void **)&value, error))
		return false;
	*ret_value = g_strdup(value ? value->text : "");
	if (value)
		value_unref(value);
	return true;
}

void mock_open_gate(struct mock *m, const char *gate)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	g_hash_table_add(m->open_gates, g_strdup(gate));
	g_cond_broadcast(&m->changed);
}

void mock_reset_counts(struct mock *m)
{
	for (guint i = 0; i < m->vertices->len; i++) {
		struct mock_vertex *v = m->vertices->pdata[i];
		g_atomic_int_set(&v->n_map, 0);
		g_atomic_int_set(&v->n_content, 0);
		g_atomic_int_set(&v->n_exec, 0);
		g_atomic_int_set(&v->n_load, 0);
	}
}
