/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/thread.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static void count(void *data)
{
	++*(int *)data;
}

static void test_parent_sets_child(void)
{
	int calls = 0;
	g_autoptr(cancel) parent = cancel_new(NULL);
	g_autoptr(cancel) child = cancel_new(parent);
	g_assert_cmpuint(cancel_add(child, count, &calls), >, 0);
	guint removed = cancel_add(child, count, &calls);
	cancel_remove(child, removed);
	g_assert_cmpint(cancel_poll(child, NULL, 0, 0, NULL), ==, 0);
	cancel_set(parent, ERROR_DEADLINE_EXCEEDED, "too late");
	cancel_set(parent, ERROR_CANCELED, NULL);
	g_assert_cmpint(calls, ==, 1);
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(cancel_poll(child, NULL, 0, -1, &error), ==, -1);
	g_assert_true(error_is(error, ERROR_DEADLINE_EXCEEDED));
	g_assert_cmpstr(error->message, ==, "too late");
	assert_fails(cancel_check(child, &failure), "too late");
	g_assert_cmpuint(cancel_add(child, count, &calls), ==, 0);
	g_assert_cmpint(calls, ==, 2);
}

static void test_null_is_never_set(void)
{
	assert_succeeds(cancel_check(NULL, &failure));
	g_assert_cmpint(cancel_poll(NULL, NULL, 0, 1, NULL), ==, 0);
	assert_succeeds(cancel_sleep(NULL, 1, &failure));
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, NULL, NULL, NULL);
}

/* ---- cancel_poll */

static void test_poll_tells_what_is_ready(void)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	int ends[2];
	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	g_assert_cmpint(cancel_poll(c, fds, G_N_ELEMENTS(fds), 1, NULL), ==, 0);
	g_assert_cmpint(write(ends[1], "x", 1), ==, 1);
	g_assert_cmpint(cancel_poll(c, fds, G_N_ELEMENTS(fds), -1, NULL), ==, 1);
	g_assert_cmpint(fds[0].revents, ==, POLLIN);
	/* A set token comes before what is ready. */
	cancel_set(c, ERROR_CANCELED, NULL);
	g_assert_cmpint(cancel_poll(c, fds, G_N_ELEMENTS(fds), -1, NULL), ==, -1);
	close(ends[0]);
	close(ends[1]);
}

static void test_poll_reports_its_error(void)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	struct rlimit few = {1, limit.rlim_max};
	struct pollfd fds[] = {{.fd = -1}, {.fd = -1}};
	g_autoptr(GError) error = NULL;
	setrlimit(RLIMIT_NOFILE, &few);
	int n = cancel_poll(c, fds, G_N_ELEMENTS(fds), 0, &error);
	setrlimit(RLIMIT_NOFILE, &limit);
	g_assert_cmpint(n, ==, -1);
	g_assert_cmpstr(error->message, ==, "poll: invalid argument");
}

/* Threads that wait for one descriptor each until the token, or a parent of it, is set. */
struct waiter {
	cancel *c;
	int fd;
	gint *waiting; /* atomic */
	int result;
	sigset_t mask_after;
	bool pending_after;
};

static gpointer wait_for_cancel(gpointer data)
{
	struct waiter *w = data;
	struct pollfd fd = {.fd = w->fd, .events = POLLIN};
	sigset_t pending;
	g_atomic_int_inc(w->waiting);
	w->result = cancel_poll(w->c, &fd, 1, -1, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &w->mask_after);
	sigpending(&pending);
	w->pending_after = sigismember(&pending, SIGURG) == 1;
	return NULL;
}

static void assert_wakes_all(int fd)
{
	enum { N = 8 };
	for (int round = 0; round < 50; round++) {
		g_autoptr(cancel) parent = cancel_new(NULL);
		g_autoptr(cancel) child = cancel_new(parent);
		struct waiter waiters[N];
		GThread *threads[N];
		gint waiting = 0;
		for (int i = 0; i < N; i++) {
			waiters[i] = (struct waiter){.c = i % 2 ? child : parent, .fd = fd, .waiting = &waiting};
			threads[i] = thread_start("waiter", wait_for_cancel, &waiters[i], NULL);
			g_assert_nonnull(threads[i]);
		}
		/* In odd rounds they may not wait yet. */
		while (round % 2 == 0 && g_atomic_int_get(&waiting) < N)
			g_thread_yield();
		cancel_set(parent, ERROR_CANCELED, NULL);
		for (int i = 0; i < N; i++) {
			g_thread_join(threads[i]);
			g_assert_cmpint(waiters[i].result, ==, -1);
			g_assert_cmpint(sigismember(&waiters[i].mask_after, SIGURG), ==, 0);
			g_assert_false(waiters[i].pending_after);
		}
	}
}

static void test_poll_wakes_all_waiters(void)
{
	int ends[2];
	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	assert_wakes_all(ends[0]);
	close(ends[0]);
	close(ends[1]);
}

/* Takes every descriptor that is left; the limit is low, so that there are few. */
static GArray *take_all_descriptors(struct rlimit *ret_before)
{
	GArray *all = g_array_new(FALSE, FALSE, sizeof(int));
	getrlimit(RLIMIT_NOFILE, ret_before);
	struct rlimit few = {64, ret_before->rlim_max};
	setrlimit(RLIMIT_NOFILE, &few);
	for (int fd; (fd = dup(STDERR_FILENO)) >= 0;)
		g_array_append_val(all, fd);
	g_assert_cmpint(errno, ==, EMFILE);
	return all;
}

static void give_back_descriptors(GArray *all, const struct rlimit *before)
{
	for (guint i = 0; i < all->len; i++)
		close(g_array_index(all, int, i));
	g_array_unref(all);
	setrlimit(RLIMIT_NOFILE, before);
}

static void test_poll_needs_no_descriptor(void)
{
	int ends[2];
	struct rlimit before;
	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	GArray *all = take_all_descriptors(&before);
	assert_wakes_all(ends[0]);
	give_back_descriptors(all, &before);
	close(ends[0]);
	close(ends[1]);
}

static gpointer disturb(gpointer data)
{
	pthread_kill(*(pthread_t *)data, SIGURG);
	return NULL;
}

/* A signal that no token sent changes neither the result nor the time. */
static void test_poll_goes_on_after_a_signal(void)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	pthread_t self = pthread_self();
	gint64 begin = g_get_monotonic_time();
	GThread *thread = thread_start("disturb", disturb, &self, NULL);
	g_assert_cmpint(cancel_poll(c, NULL, 0, 30, NULL), ==, 0);
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, 30 * 1000);
	g_thread_join(thread);
}

static void test_sleep(void)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	gint64 begin = g_get_monotonic_time();
	assert_succeeds(cancel_sleep(c, 10, &failure));
	g_assert_cmpint(g_get_monotonic_time() - begin, >=, 10 * 1000);
	cancel_set(c, ERROR_CANCELED, NULL);
	g_autoptr(GError) error = NULL;
	g_assert_false(cancel_sleep(c, 3600 * 1000, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
}

/* ---- cancel_watch */

struct queue {
	GMutex mu;
	GCond changed;
	cancel *c;
	int waiting, n;
	bool got;
};

static gpointer take_one(gpointer data)
{
	struct queue *q = data;
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, q->c, &q->mu, &q->changed);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&q->mu);
	q->waiting++;
	g_cond_broadcast(&q->changed);
	while (q->n == 0 && !cancel_is_set(q->c))
		g_cond_wait(&q->changed, &q->mu);
	if (q->n > 0) {
		q->n--;
		q->got = true;
	}
	return NULL;
}

static void watch_case(bool wait_first, bool give)
{
	struct queue q = {.c = cancel_new(NULL)};
	g_mutex_init(&q.mu);
	g_cond_init(&q.changed);
	if (!wait_first)
		cancel_set(q.c, ERROR_CANCELED, NULL);
	GThread *thread = thread_start("taker", take_one, &q, NULL);
	g_mutex_lock(&q.mu);
	while (wait_first && q.waiting == 0)
		g_cond_wait(&q.changed, &q.mu);
	q.n = give;
	g_cond_broadcast(&q.changed);
	g_mutex_unlock(&q.mu);
	if (!give)
		cancel_set(q.c, ERROR_CANCELED, NULL);
	g_thread_join(thread);
	g_assert_true(q.got == give);
	cancel_unref(q.c);
	g_cond_clear(&q.changed);
	g_mutex_clear(&q.mu);
}

static void test_watch_wakes(void)
{
	for (int i = 0; i < 50; i++) {
		watch_case(true, true);
		watch_case(true, false);
		watch_case(false, false);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cancel/parent-sets-child", test_parent_sets_child);
	g_test_add_func("/cancel/null-is-never-set", test_null_is_never_set);
	g_test_add_func("/cancel/poll-tells-what-is-ready", test_poll_tells_what_is_ready);
	g_test_add_func("/cancel/poll-reports-its-error", test_poll_reports_its_error);
	g_test_add_func("/cancel/poll-wakes-all-waiters", test_poll_wakes_all_waiters);
	g_test_add_func("/cancel/poll-needs-no-descriptor", test_poll_needs_no_descriptor);
	g_test_add_func("/cancel/poll-goes-on-after-a-signal", test_poll_goes_on_after_a_signal);
	g_test_add_func("/cancel/sleep", test_sleep);
	g_test_add_func("/cancel/watch-wakes", test_watch_wakes);
	return g_test_run();
}
