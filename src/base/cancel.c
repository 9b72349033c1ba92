/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct watcher {
	guint id;
	cancel_fn fn;
	void *data;
};

struct cancel {
	gint refs;
	gint set; /* atomic */
	GMutex mu;
	GCond idle; /* signalled when no callback is running */
	enum error_code code;
	char *text;       /* owned, under mu until set */
	int fd;           /* owned, -1 until first requested */
	GArray *watchers; /* of struct watcher */
	guint next_id;
	guint running_id; /* the watcher whose callback is running, 0 if none */
	GThread *runner;  /* the thread that runs it */
	cancel *parent;   /* ref */
	guint parent_id;
};

/* A child whose last reference is being dropped is not revived: its memory stays valid until cancel_remove returns. */
static bool ref_if_alive(cancel *c)
{
	for (gint refs = g_atomic_int_get(&c->refs); refs > 0; refs = g_atomic_int_get(&c->refs))
		if (g_atomic_int_compare_and_exchange(&c->refs, refs, refs + 1))
			return true;
	return false;
}

static void set_from_parent(void *data)
{
	cancel *c = data;
	if (!ref_if_alive(c))
		return;
	cancel_set(c, c->parent->code, c->parent->text);
	cancel_unref(c);
}

cancel *cancel_new(cancel *parent)
{
	cancel *c = g_new0(cancel, 1);
	c->refs = 1;
	c->fd = -1;
	c->next_id = 1;
	c->watchers = g_array_new(FALSE, FALSE, sizeof(struct watcher));
	g_mutex_init(&c->mu);
	g_cond_init(&c->idle);
	if (parent) {
		c->parent = cancel_ref(parent);
		c->parent_id = cancel_add(parent, set_from_parent, c);
	}
	return c;
}

cancel *cancel_ref(cancel *c)
{
	g_atomic_int_inc(&c->refs);
	return c;
}

void cancel_unref(cancel *c)
{
	if (!c || !g_atomic_int_dec_and_test(&c->refs))
		return;
	if (c->parent) {
		if (c->parent_id)
			cancel_remove(c->parent, c->parent_id);
		cancel_unref(c->parent);
	}
	if (c->fd >= 0)
		close(c->fd);
	g_array_unref(c->watchers);
	g_free(c->text);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->idle);
	g_free(c);
}

static void run_watchers(cancel *c)
{
	g_mutex_lock(&c->mu);
	while (c->watchers->len > 0) {
		struct watcher w = g_array_index(c->watchers, struct watcher, 0);
		g_array_remove_index(c->watchers, 0);
		c->running_id = w.id;
		c->runner = g_thread_self();
		g_mutex_unlock(&c->mu);
		w.fn(w.data);
		g_mutex_lock(&c->mu);
		c->running_id = 0;
		g_cond_broadcast(&c->idle);
	}
	g_mutex_unlock(&c->mu);
}

void cancel_set(cancel *c, enum error_code code, const char *text)
{
	g_mutex_lock(&c->mu);
	if (g_atomic_int_get(&c->set)) {
		g_mutex_unlock(&c->mu);
		return;
	}
	c->code = code;
	c->text = g_strdup(text ? text : "context canceled");
	g_atomic_int_set(&c->set, 1);
	if (c->fd >= 0)
		eventfd_write(c->fd, 1);
	g_mutex_unlock(&c->mu);
	cancel_ref(c);
	run_watchers(c);
	cancel_unref(c);
}

bool cancel_is_set(const cancel *c)
{
	return c && g_atomic_int_get(&c->set);
}

bool cancel_check(cancel *c, GError **error)
{
	if (!cancel_is_set(c))
		return true;
	return error_set(error, c->code, "%s", c->text);
}

int cancel_fd(cancel *c)
{
	if (!c)
		return -1;
	g_mutex_lock(&c->mu);
	if (c->fd < 0) {
		c->fd = eventfd(g_atomic_int_get(&c->set) ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	int fd = c->fd;
	g_mutex_unlock(&c->mu);
	return fd;
}

guint cancel_add(cancel *c, cancel_fn fn, void *data)
{
	g_mutex_lock(&c->mu);
	if (g_atomic_int_get(&c->set)) {
		g_mutex_unlock(&c->mu);
		fn(data);
		return 0;
	}
	struct watcher w = {.id = c->next_id++, .fn = fn, .data = data};
	g_array_append_val(c->watchers, w);
	g_mutex_unlock(&c->mu);
	return w.id;
}

void cancel_remove(cancel *c, guint id)
{
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < c->watchers->len; i++) {
		if (g_array_index(c->watchers, struct watcher, i).id == id) {
			g_array_remove_index(c->watchers, i);
			break;
		}
	}
	/* Called from the callback itself (it dropped the watched object): it will not be called again. */
	while (c->running_id == id && c->runner != g_thread_self())
		g_cond_wait(&c->idle, &c->mu);
	g_mutex_unlock(&c->mu);
}
