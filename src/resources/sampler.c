/* SPDX-License-Identifier: Apache-2.0 */
#include "resources/sampler.h"
#include "base/scope.h"
#include "base/thread.h"
#include "base/time.h"
#include <fcntl.h>

#define STEP_SAMPLES 10    /* after so many intervals, the interval of a step doubles */
#define MACHINE_SAMPLES 20 /* the same for the samples of the machine that a build gets */
#define KEPT_SAMPLES 1024  /* of the machine; when there are more, every second of the older half is removed */
#define IDLE_US (60 * G_USEC_PER_SEC)

enum state { NEW, STARTING, RUNNING, ENDING, ENDED };

/* The sampler's mutex guards state; the rest belongs to the thread that has taken it from a list, or to the caller. */
struct step_usage {
	gint refs;
	enum state state;
	resource_sampler *sampler; /* borrowed; NULL: new */
	int hierarchy_fd;          /* borrowed; -1: without a cgroup */
	char *path;                /* owned */
	int hold_fd;               /* owned; -1 */
	GArray *samples;           /* element type: struct resource_sample */
	int64_t interval_us, first_us, last_us;
	struct resource_cpu_time from, to; /* of the machine */
	bool has_from, has_to;
};
struct resource_sampler {
	int64_t interval_us;
	int proc_fd;     /* owned */
	GMutex mu;       /* guards the rest */
	GCond changed;   /* a step has begun, has to end (for the thread) or is ENDED (for others) */
	GThread *thread; /* owned; NULL: not started */
	bool runs;       /* the thread has not ended */
	bool closing;
	GPtrArray *steps;  /* counted; those that are not ENDED */
	size_t n_waiting;  /* of them: STARTING or ENDING */
	int64_t active_us; /* when a step has last begun or ended */
	int64_t active_ns; /* the same, since 1970; 0: never */
	GArray *machine;   /* element type: struct resource_machine_sample */
};

step_usage *step_usage_new(void)
{
	step_usage *u = g_new0(step_usage, 1);
	u->refs = 1;
	u->hierarchy_fd = u->hold_fd = -1;
	u->samples = g_array_new(FALSE, FALSE, sizeof(struct resource_sample));
	return u;
}

step_usage *step_usage_ref(step_usage *u)
{
	g_atomic_int_inc(&u->refs);
	return u;
}

void step_usage_unref(step_usage *u)
{
	if (!u || !g_atomic_int_dec_and_test(&u->refs))
		return;
	fd_close(&u->hold_fd);
	g_array_unref(u->samples);
	g_free(u->path);
	g_free(u);
}

resource_sampler *resource_sampler_new(int64_t interval_us)
{
	resource_sampler *s = g_new0(resource_sampler, 1);
	s->interval_us = interval_us;
	g_mutex_init(&s->mu);
	g_cond_init(&s->changed);
	s->steps = g_ptr_array_new_with_free_func((GDestroyNotify)step_usage_unref);
	s->machine = g_array_new(FALSE, FALSE, sizeof(struct resource_machine_sample));
	s->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s;
}

void resource_sampler_free(resource_sampler *s)
{
	if (!s)
		return;
	g_mutex_lock(&s->mu);
	s->closing = true;
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
	if (s->thread)
		g_thread_join(s->thread);
	fd_close(&s->proc_fd);
	g_ptr_array_unref(s->steps);
	g_array_unref(s->machine);
	g_mutex_clear(&s->mu);
	g_cond_clear(&s->changed);
	g_free(s);
}

/* ---- samples */

/* Doubles the interval, and removes the samples that it would not have had. */
static void thin(step_usage *u)
{
	int64_t kept_ns = 0;
	guint n = 0;
	u->interval_us *= 2;
	for (guint i = 0; i < u->samples->len; i++) {
		const struct resource_sample *sample = &g_array_index(u->samples, struct resource_sample, i);
		/* A sample is taken some ms after its time is due. */
		if (n > 0 && sample->time_ns - kept_ns < u->interval_us * NS_PER_US * 9 / 10)
			continue;
		kept_ns = sample->time_ns;
		g_array_index(u->samples, struct resource_sample, n++) = *sample;
	}
	g_array_set_size(u->samples, n);
}

static void sample_step(step_usage *u)
{
	struct resource_sample sample;
	scoped_fd fd = u->hierarchy_fd >= 0 ? openat(u->hierarchy_fd, u->path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	u->last_us = g_get_monotonic_time();
	if (fd >= 0 && resource_sample_read(fd, &sample))
		g_array_append_val(u->samples, sample);
	if (u->last_us - u->first_us >= u->interval_us * STEP_SAMPLES)
		thin(u);
}

static void finish(const resource_sampler *s, step_usage *u)
{
	sample_step(u);
	if (u->hierarchy_fd >= 0)
		u->has_to = resource_cpu_time_read(s->proc_fd, &u->to);
	fd_close(&u->hold_fd);
}

static void keep_machine(resource_sampler *s, const struct resource_machine_sample *sample)
{
	g_array_append_val(s->machine, *sample);
	if (s->machine->len <= KEPT_SAMPLES)
		return;
	for (guint i = KEPT_SAMPLES / 2; i > 1; i -= 2)
		g_array_remove_index(s->machine, i - 1);
}

/* ---- the thread */

/* Returns a step in that state, counted; NULL: none. Requires mu. */
static step_usage *find(resource_sampler *s, enum state state)
{
	for (guint i = 0; i < s->steps->len; i++) {
		step_usage *u = s->steps->pdata[i];
		if (u->state == state)
			return step_usage_ref(u);
	}
	return NULL;
}

/* Requires mu, which it releases meanwhile. */
static void start_one(resource_sampler *s, step_usage *u)
{
	u->state = RUNNING;
	s->n_waiting--;
	g_mutex_unlock(&s->mu);
	if (u->hierarchy_fd >= 0)
		u->has_from = resource_cpu_time_read(s->proc_fd, &u->from);
	g_mutex_lock(&s->mu);
}

/* Requires mu, which it releases meanwhile. */
static void end_one(resource_sampler *s, step_usage *u)
{
	g_mutex_unlock(&s->mu);
	finish(s, u);
	g_mutex_lock(&s->mu);
	u->state = ENDED;
	s->n_waiting--;
	g_ptr_array_remove_fast(s->steps, u);
	g_cond_broadcast(&s->changed);
}

/* Takes what has ended and what has begun, until there is no such step. Requires mu, which it releases meanwhile. */
static void serve(resource_sampler *s)
{
	for (;;) {
		g_autoptr(step_usage) ending = find(s, ENDING);
		g_autoptr(step_usage) starting = ending ? NULL : find(s, STARTING);
		if (ending)
			end_one(s, ending);
		else if (starting)
			start_one(s, starting);
		else
			return;
	}
}

/* Requires mu, which it releases meanwhile. */
static void sample_all(resource_sampler *s)
{
	g_autoptr(GPtrArray) running = g_ptr_array_new_with_free_func((GDestroyNotify)step_usage_unref);
	struct resource_machine_sample machine;
	for (guint i = 0; i < s->steps->len; i++) {
		step_usage *u = s->steps->pdata[i];
		if (u->hierarchy_fd >= 0)
			g_ptr_array_add(running, step_usage_ref(u));
	}
	g_mutex_unlock(&s->mu);
	bool read = resource_machine_sample_read(s->proc_fd, &machine);
	for (guint i = 0; i < running->len; i++) {
		step_usage *u = running->pdata[i];
		if (g_get_monotonic_time() - u->last_us >= u->interval_us)
			sample_step(u);
	}
	g_mutex_lock(&s->mu);
	if (read)
		keep_machine(s, &machine);
}

/* It also wakes up while no step runs, so that the begin of a step without a cgroup need not wake it. */
static void *run(void *data)
{
	resource_sampler *s = data;
	g_mutex_lock(&s->mu);
	int64_t next_us = g_get_monotonic_time() + s->interval_us;
	serve(s);
	while (!s->closing) {
		int64_t now_us = g_get_monotonic_time();
		bool idle = s->steps->len == 0;
		if (idle && now_us - s->active_us >= IDLE_US)
			break;
		if (now_us >= next_us) {
			next_us = now_us + s->interval_us;
			if (!idle)
				sample_all(s);
		} else if (s->n_waiting == 0) {
			g_cond_wait_until(&s->changed, &s->mu, next_us);
		}
		serve(s);
	}
	serve(s);
	s->runs = false;
	g_mutex_unlock(&s->mu);
	return NULL;
}

/* Without a thread, steps have only the sample of their end. Requires mu. */
static void ensure_thread(resource_sampler *s)
{
	if (s->runs)
		return;
	if (s->thread)
		g_thread_join(g_steal_pointer(&s->thread));
	s->thread = thread_start("resources", run, s, NULL);
	s->runs = s->thread != NULL;
}

/* ---- steps */

/* Requires mu. */
static void note_activity(resource_sampler *s)
{
	s->active_us = g_get_monotonic_time();
	s->active_ns = g_get_real_time() * NS_PER_US;
}

void resource_sampler_begin(resource_sampler *s, step_usage *u, int hierarchy_fd, const char *path)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
	g_return_if_fail(u->state == NEW);
	u->sampler = s;
	u->hierarchy_fd = path ? hierarchy_fd : -1;
	u->state = u->hierarchy_fd >= 0 ? STARTING : RUNNING;
	u->path = g_strdup(path);
	u->interval_us = s->interval_us;
	note_activity(s);
	u->first_us = u->last_us = s->active_us;
	g_ptr_array_add(s->steps, step_usage_ref(u));
	ensure_thread(s);
	if (u->state == STARTING) {
		s->n_waiting++;
		g_cond_broadcast(&s->changed);
	}
}

/* Requires mu, which it releases meanwhile. */
static void wait_for_end(resource_sampler *s, const step_usage *u)
{
	while (u->state == ENDING)
		g_cond_wait(&s->changed, &s->mu);
}

void resource_sampler_end(resource_sampler *s, step_usage *u, int hold_fd)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
	if (u->state != STARTING && u->state != RUNNING) {
		fd_close(&hold_fd);
		return;
	}
	u->hold_fd = hold_fd;
	note_activity(s);
	if (!s->runs || u->hierarchy_fd < 0) {
		s->n_waiting -= u->state == STARTING;
		u->state = ENDED;
		finish(s, u);
		g_ptr_array_remove_fast(s->steps, u);
		return;
	}
	s->n_waiting += u->state == RUNNING;
	u->state = ENDING;
	g_cond_broadcast(&s->changed);
	if (hold_fd < 0)
		wait_for_end(s, u);
}

bool step_usage_write(json_writer *w, step_usage *u)
{
	resource_sampler *s = u->sampler;
	if (!s)
		return false;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
	wait_for_end(s, u);
	if (u->state != ENDED || u->samples->len == 0)
		return false;
	json_object_begin(w);
	json_array_member_begin(w, "samples");
	for (guint i = 0; i < u->samples->len; i++)
		resource_sample_write(w, &g_array_index(u->samples, struct resource_sample, i));
	json_array_end(w);
	if (u->has_from && u->has_to) {
		json_key(w, "sysCPUStat");
		resource_cpu_time_write(w, &u->from, &u->to);
	}
	json_object_end(w);
	return true;
}

/* ---- the machine */

/* Appends the samples since then, at least interval_ns apart. Requires mu. */
static void copy_machine(const resource_sampler *s, int64_t since_ns, int64_t interval_ns, GArray *ret)
{
	int64_t last_ns = 0;
	for (guint i = 0; i < s->machine->len; i++) {
		const struct resource_machine_sample *m = &g_array_index(s->machine, struct resource_machine_sample, i);
		if (m->time_ns < since_ns || (last_ns != 0 && m->time_ns - last_ns < interval_ns))
			continue;
		g_array_append_vals(ret, m, 1);
		last_ns = m->time_ns;
	}
}

GArray *resource_sampler_machine(resource_sampler *s, int64_t since_ns)
{
	struct resource_machine_sample now;
	int64_t interval_ns = s->interval_us * NS_PER_US;
	g_mutex_lock(&s->mu);
	bool any = s->active_ns >= since_ns || s->steps->len > 0;
	g_mutex_unlock(&s->mu);
	if (!any || !resource_machine_sample_read(s->proc_fd, &now))
		return NULL;
	while ((now.time_ns - since_ns) / interval_ns > MACHINE_SAMPLES)
		interval_ns *= 2;
	/* A sample is taken some ms after its time is due. */
	GArray *samples = g_array_new(FALSE, FALSE, sizeof(struct resource_machine_sample));
	g_mutex_lock(&s->mu);
	copy_machine(s, since_ns, interval_ns - interval_ns / 10, samples);
	g_mutex_unlock(&s->mu);
	g_array_append_val(samples, now);
	return samples;
}
