/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_steps.h"
#include "base/scope.h"
#include "ops/exec_mounts.h"
#include "os/tree.h"
#include <fcntl.h>

#define WAIT_US (30 * G_USEC_PER_SEC)
#define KILLED 137

struct fake_steps fake_steps;
static GMutex mu; /* guards what follows */
static GCond changed;
static GPtrArray *steps; /* element type: struct fake_step * (owned) */

/* ---- the list */

static void step_free(void *data)
{
	struct fake_step *s = data;
	g_assert_true(s->ended);
	for (int i = 0; i < 3; i++)
		fd_close(&s->fds[i]);
	step_process_unref(s->handle);
	g_string_free(s->seen, TRUE);
	g_clear_error(&s->error);
	g_mutex_clear(&s->mu);
	g_cond_clear(&s->changed);
	g_free(s->call);
	g_free(s);
}

void fake_steps_init(void)
{
	g_autoptr(GError) error = NULL;
	fake_steps = (struct fake_steps){.tree_path = g_dir_make_tmp("steps-XXXXXX", &error)};
	g_assert_no_error(error);
	fake_steps.tree_fd = open(fake_steps.tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(fake_steps.tree_fd, >=, 0);
	steps = g_ptr_array_new_with_free_func(step_free);
}

void fake_steps_clear(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	g_clear_pointer(&steps, g_ptr_array_unref);
	fd_close(&fake_steps.tree_fd);
	tree_remove_at(AT_FDCWD, fake_steps.tree_path, &error);
	g_assert_no_error(error);
	g_free(fake_steps.tree_path);
	g_free(fake_steps.mounts_call);
}

void fake_steps_reset(void)
{
	g_mutex_lock(&mu);
	g_ptr_array_set_size(steps, 0);
	g_mutex_unlock(&mu);
}

struct fake_step *fake_steps_wait(guint n)
{
	gint64 until = g_get_monotonic_time() + WAIT_US;
	g_mutex_lock(&mu);
	while (steps->len <= n && g_cond_wait_until(&changed, &mu, until))
		continue;
	g_assert_cmpuint(steps->len, >, n);
	struct fake_step *s = steps->pdata[n];
	g_mutex_unlock(&mu);
	return s;
}

guint fake_steps_count(void)
{
	g_mutex_lock(&mu);
	guint n = steps->len;
	g_mutex_unlock(&mu);
	return n;
}

/* ---- one process */

static bool step_note(struct fake_step *s, const char *text, GError **error)
{
	g_mutex_lock(&s->mu);
	const char *refusal = s->refusal;
	g_string_append(s->seen, text);
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
	return !refusal || error_set(error, ERROR_UNKNOWN, "%s", refusal);
}

static bool step_signal(void *self, int signal, GError **error)
{
	g_autofree char *text = g_strdup_printf("signal %d\n", signal);
	return step_note(self, text, error);
}

static bool step_resize(void *self, struct step_size size, GError **error)
{
	g_autofree char *text = g_strdup_printf("resize %ux%u\n", size.rows, size.columns);
	return step_note(self, text, error);
}

static const struct step_process_class step_class = {.signal = step_signal, .resize = step_resize};

void fake_step_start(struct fake_step *s)
{
	g_autoptr(GError) error = NULL;
	struct step_ends ends;
	if (s->io->terminal)
		step_ends_open_terminal(&ends, s->io->size, &error);
	else
		step_ends_open(&ends, s->io, &error);
	g_assert_no_error(error);
	g_mutex_lock(&s->mu);
	memcpy(s->fds, ends.theirs, sizeof s->fds);
	g_mutex_unlock(&s->mu);
	step_process_start(s->handle, s->io, &step_class, s, ends.ours);
}

/* A terminal has one descriptor for its three streams. */
static int step_fd(struct fake_step *s, int stream)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
	return s->io->terminal ? MAX(s->fds[0], MAX(s->fds[1], s->fds[2])) : s->fds[stream];
}

void fake_step_write(struct fake_step *s, int stream, const char *text)
{
	size_t n = strlen(text);
	g_assert_cmpint(write(step_fd(s, stream), text, n), ==, (ssize_t)n);
}

void fake_step_close(struct fake_step *s, int stream)
{
	g_mutex_lock(&s->mu);
	fd_close(&s->fds[stream]);
	g_mutex_unlock(&s->mu);
}

static ssize_t step_read(struct fake_step *s, void *bytes, size_t n)
{
	struct pollfd end = {.fd = step_fd(s, 0), .events = POLLIN};
	g_assert_cmpint(cancel_poll(NULL, &end, 1, WAIT_US / 1000, NULL), ==, 1);
	return read(end.fd, bytes, n);
}

void fake_step_expect_input(struct fake_step *s, const char *text, bool eof)
{
	size_t n = strlen(text);
	g_autofree char *got = g_malloc0(n + 1);
	for (size_t i = 0; i < n;) {
		ssize_t r = step_read(s, got + i, n - i);
		g_assert_cmpint(r, >, 0);
		i += (size_t)r;
	}
	g_assert_cmpstr(got, ==, text);
	if (eof)
		g_assert_cmpint(step_read(s, got, 1), ==, 0);
}

void fake_step_expect(struct fake_step *s, const char *text)
{
	gint64 until = g_get_monotonic_time() + WAIT_US;
	g_mutex_lock(&s->mu);
	while (!strstr(s->seen->str, text) && g_cond_wait_until(&s->changed, &s->mu, until))
		continue;
	if (!strstr(s->seen->str, text))
		g_assert_cmpstr(s->seen->str, ==, text);
	g_mutex_unlock(&s->mu);
}

static void step_end(struct fake_step *s, bool ran, struct step_exit exit, GError *error)
{
	g_mutex_lock(&s->mu);
	if (s->ended) { /* canceled at the same time */
		g_mutex_unlock(&s->mu);
		g_clear_error(&error);
		return;
	}
	for (int i = 0; i < 3; i++)
		fd_close(&s->fds[i]);
	s->ran = ran;
	s->exit = exit;
	s->error = error;
	s->ended = true;
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
}

void fake_step_exit(struct fake_step *s, int code)
{
	step_end(s, true, (struct step_exit){.code = code}, NULL);
}

void fake_step_oom(struct fake_step *s)
{
	step_end(s, true, (struct step_exit){.code = KILLED, .oom_killed = true}, NULL);
}

void fake_step_fail(struct fake_step *s, enum error_code code, const char *text)
{
	GError *error = NULL;
	error_set(&error, code, "%s", text);
	step_end(s, false, (struct step_exit){.code = 255}, error);
}

void fake_step_wait_end(struct fake_step *s)
{
	gint64 until = g_get_monotonic_time() + WAIT_US;
	g_mutex_lock(&s->mu);
	while (!s->ended && g_cond_wait_until(&s->changed, &s->mu, until))
		continue;
	g_assert_true(s->ended);
	g_mutex_unlock(&s->mu);
}

/* ---- the executor */

static bool wait_for_end(struct fake_step *s, cancel *stop)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, stop, &s->mu, &s->changed);
	g_mutex_lock(&s->mu);
	while (!s->ended && !cancel_is_set(stop))
		g_cond_wait(&s->changed, &s->mu);
	bool ended = s->ended;
	g_mutex_unlock(&s->mu);
	return ended;
}

static bool run(struct fake_step *s, struct work *work, struct step_exit *ret_exit, GError **error)
{
	s->fds[0] = s->fds[1] = s->fds[2] = -1;
	s->seen = g_string_new(NULL);
	s->handle = step_process_new();
	g_mutex_init(&s->mu);
	g_cond_init(&s->changed);
	g_mutex_lock(&mu);
	g_ptr_array_add(steps, s);
	g_cond_broadcast(&changed);
	g_mutex_unlock(&mu);
	if (fake_steps.behave)
		fake_steps.behave(s, work->cancel);
	if (!wait_for_end(s, work->cancel)) {
		GError *killed = NULL;
		cancel_check(work->cancel, &killed);
		g_prefix_error(&killed, "exit code: %d: ", KILLED);
		step_end(s, false, (struct step_exit){.code = KILLED}, killed);
	}
	step_process_end(s->handle);
	*ret_exit = s->exit;
	if (s->error)
		g_propagate_error(error, g_error_copy(s->error));
	return s->ran;
}

static void add_list(GString *text, const char *name, const char *const *list)
{
	g_autofree char *joined = list ? g_strjoinv(" ", (char **)(gsize)list) : NULL;
	g_string_append_printf(text, " %s=[%s]", name, joined ? joined : "none");
}

static void add_streams(GString *text, const struct step_io *io)
{
	static const char *const names[] = {"log", "null", "pipe"};
	g_string_append_printf(text, " streams=%s,%s,%s%s", names[io->streams[0]], names[io->streams[1]],
			       names[io->streams[2]], io->terminal ? " terminal" : "");
}

bool executor_run(executor *e, const struct step *step, struct work *work, struct step_exit *ret_exit, GError **error)
{
	GString *text = g_string_new("run");
	add_list(text, "args", step->args);
	add_list(text, "env", step->env);
	g_string_append_printf(text, " cwd=%s user=%s cgroup=%s hostname=%s", step->cwd, step->user,
			       step->cgroup_parent, step->hostname);
	for (size_t i = 0; i < step->n_hosts; i++)
		g_string_append_printf(text, " %s=%s", step->hosts[i].host, step->hosts[i].ip);
	for (size_t i = 0; i < step->n_limits; i++)
		g_string_append_printf(text, " %s=%d:%d", step->limits[i].name, (int)step->limits[i].soft,
				       (int)step->limits[i].hard);
	g_string_append_printf(text, " network=%d insecure=%d mounts=%zu recursive=%d", step->network, step->insecure,
			       step->n_mounts, step->remove_stubs_recursive);
	add_streams(text, step->io);
	g_assert_cmpint(step->root_fd, ==, fake_steps.tree_fd);
	struct fake_step *s = g_new0(struct fake_step, 1);
	s->call = g_string_free(text, FALSE);
	s->io = step->io;
	return run(s, work, ret_exit, error);
}

bool executor_exec(executor *e, step_process *first, const struct step_command *c, struct work *work,
		   struct step_exit *ret_exit, GError **error)
{
	struct fake_step *of = step_process_enter(first);
	if (!of)
		return error_set(error, ERROR_FAILED_PRECONDITION, "the step has exited");
	g_assert_false(of->further);
	GString *text = g_string_new("exec");
	add_list(text, "args", c->args);
	add_list(text, "env", c->env);
	g_string_append_printf(text, " cwd=%s user=%s", c->cwd, c->user);
	add_streams(text, c->io);
	struct fake_step *s = g_new0(struct fake_step, 1);
	s->further = true;
	s->call = g_string_free(text, FALSE);
	s->io = c->io;
	bool ran = run(s, work, ret_exit, error);
	step_process_leave(first);
	return ran;
}

/* ---- mounts */

struct exec_mounts {
	size_t n;
	bool *has_tree; /* owned */
};

exec_mounts *exec_mounts_new(const struct exec_mounts_input *in, struct work *work, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_string_append_printf(text, "owner=%s cwd=[%s] inputs=%zu", in->owner, in->cwd, in->n_inputs);
	for (size_t i = 0; i < in->n_mounts; i++)
		g_string_append_printf(text, " %s=%d", in->mounts[i]->dest, (int)in->mounts[i]->input);
	g_free(fake_steps.mounts_call);
	fake_steps.mounts_call = g_strdup(text->str);
	if (fake_steps.mounts_wait) {
		event_raise(&fake_steps.mounts_waiting);
		cancel_poll(work->cancel, NULL, 0, -1, error);
		return NULL;
	}
	if (fake_steps.mounts_error)
		return error_null(error, ERROR_NOT_FOUND, "%s", fake_steps.mounts_error);
	exec_mounts *m = g_new0(exec_mounts, 1);
	m->n = in->n_mounts;
	m->has_tree = g_new0(bool, m->n + 1);
	for (size_t i = 0; i < in->n_mounts; i++)
		m->has_tree[i] = in->mounts[i]->mounttype != PB__MOUNT_TYPE__TMPFS;
	g_atomic_int_inc(&fake_steps.open_mounts);
	return m;
}

void exec_mounts_fill(const exec_mounts *m, struct step *step)
{
	static const struct step_mount none[1];
	step->root_fd = fake_steps.tree_fd;
	step->mounts = none;
	step->n_mounts = m->n > 0 ? m->n - 1 : 0;
}

size_t exec_mounts_count(const exec_mounts *m)
{
	return m->n;
}

int exec_mounts_tree(const exec_mounts *m, size_t i)
{
	return m->has_tree[i] ? fake_steps.tree_fd : -1;
}

void exec_mounts_free(exec_mounts *m)
{
	g_atomic_int_add(&fake_steps.open_mounts, -1);
	g_free(m->has_tree);
	g_free(m);
}
