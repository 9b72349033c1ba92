/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/failure.h"
#include "llb/op_json.h"

op_failure *op_failure_new(size_t n_inputs, size_t n_mounts)
{
	op_failure *f = g_new0(op_failure, 1);
	f->refs = 1;
	g_mutex_init(&f->mu);
	f->inputs = g_new0(cache_ref *, n_inputs + 1);
	f->mounts = g_new0(cache_ref *, n_mounts + 1);
	f->n_inputs = n_inputs;
	f->n_mounts = n_mounts;
	return f;
}

static void *failure_ref(void *data)
{
	g_atomic_int_inc(&((op_failure *)data)->refs);
	return data;
}

static void drop_trees(op_failure *f)
{
	for (size_t i = 0; i < f->n_inputs; i++)
		g_clear_pointer(&f->inputs[i], cache_ref_unref);
	for (size_t i = 0; i < f->n_mounts; i++)
		g_clear_pointer(&f->mounts[i], cache_ref_unref);
}

static void failure_unref(void *data)
{
	op_failure *f = data;
	if (!g_atomic_int_dec_and_test(&f->refs))
		return;
	drop_trees(f);
	g_mutex_clear(&f->mu);
	g_free(f->inputs);
	g_free(f->mounts);
	g_free(f);
}

void op_failure_attach(op_failure *f, const struct op *op, const char *subject, GError *error)
{
	json_writer *w = json_writer_new(0);
	op_protojson_message(w, &op->v->op->base);
	g_autofree char *op_json = json_writer_take(&w, NULL);
	g_autofree char *json = g_strdup_printf("{\"op\":%s%s%s}", op_json, subject ? "," : "", subject ? subject : "");
	error_add_detail(error, "errdefs.Solve", json);
	error_set_state(error, f, failure_ref, failure_unref);
}

op_failure *op_failure_get(const GError *error)
{
	return error_get_state(error);
}

static cache_ref *copy_tree(op_failure *f, cache_ref *const *tree)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&f->mu);
	return *tree ? cache_ref_ref(*tree) : NULL;
}

cache_ref *op_failure_input(op_failure *f, size_t i)
{
	return copy_tree(f, &f->inputs[i]);
}

cache_ref *op_failure_mount(op_failure *f, size_t i)
{
	return copy_tree(f, &f->mounts[i]);
}

op_failure *op_failure_hold(op_failure *f)
{
	g_mutex_lock(&f->mu);
	f->holders++;
	g_mutex_unlock(&f->mu);
	return failure_ref(f);
}

static void stop_holding(op_failure *f, bool drop)
{
	g_mutex_lock(&f->mu);
	f->holders--;
	if (f->holders == 0 && drop)
		drop_trees(f);
	g_mutex_unlock(&f->mu);
	failure_unref(f);
}

void op_failure_unhold(op_failure *f)
{
	stop_holding(f, false);
}

void op_failure_release(op_failure *f)
{
	stop_holding(f, true);
}
