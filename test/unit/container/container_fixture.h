/* SPDX-License-Identifier: Apache-2.0 */
/* container_fixture: a container over the mounts and processes of fake_steps, and watchers of its processes. */
#pragma once
#include "container/container.h"
#include "lib/fake_steps.h"
#include "base/limits.h"
#include "base/scope.h"
#include <fcntl.h>
#include <signal.h>

struct fixture {
	cancel *build, *stop; /* of the build; of the call that makes the container */
	struct work work;
	worker worker;
	Pb__Mount root, other, *mounts[2];
	struct container_options options;
	container *c; /* NULL: not created yet */
};

/* What a process has reported; the functions of its container_io. */
struct watched {
	struct container_io io;
	GMutex mu;
	GCond changed;
	guint n_started, n_ended;
	int fds[3]; /* owned; -1: none */
	int code;
	GError *failure; /* owned */
};

static inline void fixture_setup(struct fixture *f, gconstpointer data)
{
	fake_steps_init();
	f->build = cancel_new(NULL);
	f->stop = cancel_new(NULL);
	f->work.cancel = f->build;
	f->root = (Pb__Mount)PB__MOUNT__INIT;
	f->other = (Pb__Mount)PB__MOUNT__INIT;
	f->root.dest = (char *)"/";
	f->other.dest = (char *)"/tmp";
	f->other.mounttype = PB__MOUNT_TYPE__TMPFS;
	f->mounts[0] = &f->root;
	f->mounts[1] = &f->other;
	f->options = (struct container_options){
		.worker = &f->worker, .id = "c", .work = &f->work, .mounts = f->mounts, .n_mounts = 2, .hostname = ""};
}

static inline void fixture_open(struct fixture *f)
{
	g_autoptr(GError) error = NULL;
	f->c = container_new(&f->options, f->stop, &error);
	g_assert_no_error(error);
	g_assert_nonnull(f->c);
}

static inline void fixture_teardown(struct fixture *f, gconstpointer data)
{
	container_unref(f->c);
	cancel_unref(f->build);
	cancel_unref(f->stop);
	fake_steps_clear();
}

/* Fails unless this is the error; clears it. */
static inline void expect_error(GError **error, enum error_code code, const char *text)
{
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, text);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}

static inline void watched_started(void *data, const int *fds)
{
	struct watched *w = data;
	g_mutex_lock(&w->mu);
	g_assert_cmpuint(w->n_ended, ==, 0);
	w->n_started++;
	memcpy(w->fds, fds, sizeof w->fds);
	g_cond_broadcast(&w->changed);
	g_mutex_unlock(&w->mu);
}

static inline void watched_ended(void *data, int code, const GError *failure)
{
	struct watched *w = data;
	g_mutex_lock(&w->mu);
	w->n_ended++;
	w->code = code;
	w->failure = failure ? g_error_copy(failure) : NULL;
	g_cond_broadcast(&w->changed);
	g_mutex_unlock(&w->mu);
}

static inline void watched_init(struct watched *w)
{
	*w = (struct watched){.fds = {-1, -1, -1}};
	g_mutex_init(&w->mu);
	g_cond_init(&w->changed);
	w->io = (struct container_io){
		.wanted = {true, true, true}, .started = watched_started, .ended = watched_ended, .data = w};
}

static inline void watched_wait(struct watched *w, const guint *count)
{
	gint64 until = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
	g_mutex_lock(&w->mu);
	while (*count == 0 && g_cond_wait_until(&w->changed, &w->mu, until))
		continue;
	g_assert_cmpuint(*count, ==, 1);
	g_mutex_unlock(&w->mu);
}

/* Waits for the end: the code, and the text of the failure (NULL: none). */
static inline void watched_expect(struct watched *w, int code, enum error_code failure, const char *text)
{
	watched_wait(w, &w->n_ended);
	g_assert_cmpint(w->code, ==, code);
	if (text)
		expect_error(&w->failure, failure, text);
	g_assert_no_error(w->failure);
}

static inline void watched_clear(struct watched *w)
{
	g_assert_cmpuint(w->n_started, <=, 1);
	g_assert_cmpuint(w->n_ended, ==, 1);
	for (int i = 0; i < 3; i++)
		fd_close(&w->fds[i]);
	g_clear_error(&w->failure);
	g_mutex_clear(&w->mu);
	g_cond_clear(&w->changed);
}
#define scoped_watched __attribute__((cleanup(watched_clear))) struct watched

/* Starts a process with this one argument. Owned. */
static inline container_process *start_process(struct fixture *f, struct watched *w, const char *arg)
{
	g_autoptr(GError) error = NULL;
	char *args[] = {(char *)arg};
	Pb__Meta meta = PB__META__INIT;
	meta.args = args;
	meta.n_args = 1;
	watched_init(w);
	container_process *p = container_start(f->c, &(struct container_command){.meta = &meta}, &w->io, NULL, &error);
	g_assert_no_error(error);
	g_assert_nonnull(p);
	return p;
}
