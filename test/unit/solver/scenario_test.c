/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios of test/scenario/solver/ (NAME.txt), one command per line:
 *
 *	vertex NAME [in=A,B:1] [key=K] [key1=K] [content=0,1] [selector0=T] [outputs=N] [version=T] [value=T] [nest=NAME]
 *	            [ignore] [random] [slot] [pure] [gate=G] [fail_map=T] [fail_exec=T] [fail_content=T]
 *	                             adds or changes; _ in texts is a space
 *	build JOB NAME[:INDEX]       starts a build in a new job and waits for it
 *	start JOB NAME[:INDEX]       starts it and waits until it is in the graph
 *	running NAME                 waits until the vertex runs
 *	settle N                     waits until nothing is left to evaluate and only N ops run
 *	open GATE, cancel JOB, wait JOB, end JOB
 *	expect JOB TEXT              the result; "= right" is the text that the spec gives
 *	expect JOB error TEXT
 *	count NAME map=N content=N exec=N load=N
 *	reset                        sets the counts to zero
 *	drop all | drop VALUE        results vanish; break all: loading them fails
 *	restart                      a new solver on the same keys
 *	parallel N                   maximum number of concurrent runs so far
 *	idle                         no vertex is left
 */
#include "lib/event.h"
#include "lib/outcome.h"
#include "lib/solver_mock.h"
#include "solver/graph.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

struct build {
	char *id, *name;
	int64_t index;
	struct mock *mock;
	solver_job *job;
	progress_log *log;
	cancel *cancel;
	GThread *thread;
	bool ok;
	char *value;
	GError *error;
};
struct scenario {
	struct mock *mock;
	GHashTable *builds;
	char *root;
	int root_fd;
	const char *file;
	int line;
};

static const char *scenario_dir(void)
{
	static char *dir;
	if (!dir) {
		g_autofree char *here = g_path_get_dirname(__FILE__);
		dir = g_build_filename(here, "../../scenario/solver", NULL);
		if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
			dir = g_strdup("test/scenario/solver");
	}
	return dir;
}

G_GNUC_PRINTF(2, 3) G_GNUC_NORETURN static void fail(const struct scenario *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_error("%s:%d: %s", s->file, s->line, text);
}

static gpointer build_run(gpointer data)
{
	struct build *b = data;
	b->ok = mock_build(b->mock, b->job, b->name, b->index, b->cancel, &b->value, &b->error);
	return NULL;
}

static void build_join(struct build *b)
{
	if (b->thread)
		g_thread_join(g_steal_pointer(&b->thread));
}

static void build_free(gpointer data)
{
	struct build *b = data;
	build_join(b);
	solver_job_free(b->job);
	progress_log_unref(b->log);
	cancel_unref(b->cancel);
	g_clear_error(&b->error);
	g_free(b->value);
	g_free(b->id);
	g_free(b->name);
	g_free(b);
}

static void command_start(struct scenario *s, char **words)
{
	struct build *b = g_new0(struct build, 1);
	char *colon = strchr(words[2], ':');
	b->name = colon ? g_strndup(words[2], (gsize)(colon - words[2])) : g_strdup(words[2]);
	b->index = colon ? g_ascii_strtoll(colon + 1, NULL, 10) : 0;
	b->id = g_strdup(words[1]);
	b->mock = s->mock;
	b->cancel = cancel_new(NULL);
	b->log = progress_log_new();
	if (!mock_vertex_find(s->mock, b->name))
		fail(s, "no vertex %s", b->name);
	g_hash_table_remove(s->builds, b->id);
	g_autoptr(GError) error = NULL;
	b->job = solver_job_new(
		s->mock->solver,
		&(struct solver_job_options){.id = b->id, .log = b->log, .load = mock_load, .load_data = s->mock},
		&error);
	g_assert_no_error(error);
	g_hash_table_insert(s->builds, b->id, b);
	size_t before = solver_get_stats(s->mock->solver).requests;
	b->thread = g_thread_new("build", build_run, b);
	for (int i = 0; solver_get_stats(s->mock->solver).requests == before; i++) {
		if (i > 100000)
			fail(s, "%s does not begin", b->id);
		/* The statistics of the solver report no change. */
		g_usleep(100);
	}
}

static struct build *build_find(struct scenario *s, const char *id)
{
	struct build *b = g_hash_table_lookup(s->builds, id);
	if (!b)
		fail(s, "no build %s", id);
	return b;
}

static void command_build(struct scenario *s, char **words)
{
	command_start(s, words);
	build_join(build_find(s, words[1]));
}

static char *spaced(const char *text)
{
	return g_strdelimit(g_strdup(text), "_", ' ');
}

static void set_text(char **field, const char *text)
{
	g_free(*field);
	*field = *text ? spaced(text) : NULL;
}

static void set_inputs(struct scenario *s, struct mock_vertex *v, const char *list)
{
	g_auto(GStrv) names = g_strsplit(list, ",", -1);
	v->n_inputs = 0;
	for (char **name = names; *name; name++) {
		char *colon = strchr(*name, ':');
		v->input_index[v->n_inputs] = colon ? g_ascii_strtoll(colon + 1, NULL, 10) : 0;
		if (colon)
			*colon = '\0';
		v->inputs[v->n_inputs] = mock_vertex_find(s->mock, *name);
		if (!v->inputs[v->n_inputs++])
			fail(s, "no vertex %s", *name);
	}
}

static void set_content(struct mock_vertex *v, const char *list)
{
	g_auto(GStrv) indices = g_strsplit(list, ",", -1);
	for (char **i = indices; *i; i++)
		v->content[g_ascii_strtoll(*i, NULL, 10)] = true;
}

static void set_attribute(struct scenario *s, struct mock_vertex *v, const char *name, const char *value)
{
	const struct {
		const char *name;
		char **text;
		bool *flag;
	} rows[] = {
		{"version", &v->version, NULL},
		{"value", &v->value, NULL},
		{"nest", &v->nest, NULL},
		{"gate", &v->gate, NULL},
		{"fail_map", &v->fail_map, NULL},
		{"fail_exec", &v->fail_exec, NULL},
		{"fail_content", &v->fail_content, NULL},
		{"selector0", &v->selector[0], NULL},
		{"selector1", &v->selector[1], NULL},
		{"ignore", NULL, &v->ignore_cache},
		{"slot", NULL, &v->slot},
		{"pure", NULL, &v->pure},
		{"random", NULL, &v->random},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		if (rows[i].text)
			set_text(rows[i].text, value);
		else
			*rows[i].flag = strcmp(value, "0") != 0;
		return;
	}
	if (strcmp(name, "key") == 0)
		mock_vertex_set_key(v, 0, value);
	else if (strcmp(name, "key1") == 0)
		mock_vertex_set_key(v, 1, value);
	else if (strcmp(name, "in") == 0)
		set_inputs(s, v, value);
	else if (strcmp(name, "content") == 0)
		set_content(v, value);
	else if (strcmp(name, "outputs") == 0)
		v->outputs = (unsigned)g_ascii_strtoull(value, NULL, 10);
	else
		fail(s, "unknown attribute %s", name);
}

static void command_vertex(struct scenario *s, char **words)
{
	struct mock_vertex *v = mock_vertex_find(s->mock, words[1]);
	if (!v)
		v = mock_vertex_add(s->mock, words[1]);
	for (char **w = words + 2; *w; w++) {
		char *equals = strchr(*w, '=');
		g_autofree char *name = equals ? g_strndup(*w, (gsize)(equals - *w)) : g_strdup(*w);
		set_attribute(s, v, name, equals ? equals + 1 : "");
	}
}

static void command_running(struct scenario *s, char **words)
{
	struct mock_vertex *v = mock_vertex_find(s->mock, words[1]);
	for (int i = 0; g_atomic_int_get(&v->n_exec) == 0; i++) {
		if (i > 10000)
			fail(s, "%s does not run", words[1]);
		/* The mock counts runs; it reports none. */
		g_usleep(1000);
	}
}

static void command_expect(struct scenario *s, char **words)
{
	struct build *b = build_find(s, words[1]);
	build_join(b);
	bool want_error = g_strcmp0(words[2], "error") == 0;
	g_autofree char *rest = g_strjoinv(" ", words + (want_error ? 3 : 2));
	if (want_error) {
		if (b->ok || strcmp(b->error->message, rest) != 0)
			fail(s, "expected error \"%s\", got \"%s\"", rest, b->ok ? b->value : b->error->message);
		return;
	}
	if (!b->ok)
		fail(s, "build failed: %s", b->error->message);
	g_autofree char *right = mock_reference(mock_vertex_find(s->mock, b->name), b->index);
	const char *want = strcmp(rest, "= right") == 0 ? right : rest;
	if (strcmp(b->value, want) != 0)
		fail(s, "expected %s, got %s", want, b->value);
}

static void command_count(struct scenario *s, char **words)
{
	struct mock_vertex *v = mock_vertex_find(s->mock, words[1]);
	const struct {
		const char *name;
		gint *count;
	} rows[] = {{"map", &v->n_map}, {"content", &v->n_content}, {"exec", &v->n_exec}, {"load", &v->n_load}};
	for (char **w = words + 2; *w; w++) {
		g_auto(GStrv) pair = g_strsplit(*w, "=", 2);
		for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
			if (strcmp(rows[i].name, pair[0]) == 0 &&
			    g_atomic_int_get(rows[i].count) != g_ascii_strtoll(pair[1], NULL, 10))
				fail(s, "%s of %s: expected %s, got %d", pair[0], words[1], pair[1],
				     g_atomic_int_get(rows[i].count));
	}
}

static void command_wait(struct scenario *s, char **words)
{
	build_join(build_find(s, words[1]));
}

static void note_turn(solver *s, void *data)
{
	event_raise(data);
}

/*
 * Returns after the solver's thread has handled every message sent so far; a second round trip shows that it evaluated
 * the last one.
 */
static void await_turns(struct scenario *s)
{
	for (int turn = 0; turn < 2; turn++) {
		struct event done = {0};
		solver_post(s->mock->solver, note_turn, &done);
		event_wait(&done, 1);
	}
}

static void command_settle(struct scenario *s, char **words)
{
	size_t wanted = (size_t)g_ascii_strtoull(words[1], NULL, 10);
	await_turns(s);
	for (int i = 0; solver_get_stats(s->mock->solver).running != wanted; i++) {
		if (i == 100000)
			fail(s, "more than %s ops run", words[1]);
		/* The statistics of the solver report no change. */
		g_usleep(100);
	}
	await_turns(s);
}

static void command_cancel(struct scenario *s, char **words)
{
	cancel_set(build_find(s, words[1])->cancel, ERROR_CANCELED, NULL);
}

static void command_end(struct scenario *s, char **words)
{
	if (strcmp(words[1], "all") == 0)
		g_hash_table_remove_all(s->builds);
	else
		g_hash_table_remove(s->builds, words[1]);
}

static void command_open(struct scenario *s, char **words)
{
	mock_open_gate(s->mock, words[1]);
}

static void command_reset(struct scenario *s, char **words)
{
	mock_reset_counts(s->mock);
}

static gboolean has_value(gpointer key, gpointer value, gpointer wanted)
{
	return strcmp(wanted, "all") == 0 || strcmp(wanted, value) == 0;
}

static void command_drop(struct scenario *s, char **words)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mock->mu);
	g_hash_table_foreach_remove(s->mock->stored, has_value, words[1]);
}

static void command_break(struct scenario *s, char **words)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mock->mu);
	GHashTableIter iter;
	gpointer id, value;
	g_hash_table_iter_init(&iter, s->mock->stored);
	while (g_hash_table_iter_next(&iter, &id, &value))
		if (has_value(id, value, words[1]))
			g_hash_table_add(s->mock->broken, g_strdup(id));
}

static void command_restart(struct scenario *s, char **words)
{
	g_hash_table_remove_all(s->builds);
	g_autoptr(GError) error = NULL;
	solver_sync(s->mock->solver, &error);
	g_assert_no_error(error);
	mock_restart(s->mock, s->root_fd);
}

static void command_parallel(struct scenario *s, char **words)
{
	if (s->mock->max_running != g_ascii_strtoll(words[1], NULL, 10))
		fail(s, "expected %s runs at once, got %d", words[1], s->mock->max_running);
}

static void command_idle(struct scenario *s, char **words)
{
	for (int i = 0; solver_get_stats(s->mock->solver).vertices > 0; i++) {
		if (i > 5000)
			fail(s, "%zu vertices are left", solver_get_stats(s->mock->solver).vertices);
		/* The statistics of the solver report no change. */
		g_usleep(1000);
	}
}

static void run_line(struct scenario *s, const char *line)
{
	static const struct {
		const char *name;
		guint words;
		void (*run)(struct scenario *s, char **words);
	} commands[] = {
		{"vertex", 2, command_vertex},   {"build", 3, command_build},     {"start", 3, command_start},
		{"running", 2, command_running}, {"expect", 3, command_expect},   {"count", 3, command_count},
		{"wait", 2, command_wait},       {"cancel", 2, command_cancel},   {"end", 2, command_end},
		{"open", 2, command_open},       {"reset", 1, command_reset},     {"drop", 2, command_drop},
		{"break", 2, command_break},     {"restart", 1, command_restart}, {"parallel", 2, command_parallel},
		{"idle", 1, command_idle},       {"settle", 2, command_settle},
	};
	g_auto(GStrv) raw = g_strsplit_set(line, " \t", -1);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	for (char **w = raw; *w && **w != '#'; w++)
		if (**w)
			g_ptr_array_add(words, *w);
	if (words->len == 0)
		return;
	guint n = words->len;
	g_ptr_array_add(words, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(commands[i].name, words->pdata[0]) != 0)
			continue;
		if (n < commands[i].words)
			fail(s, "%s needs %u words", commands[i].name, commands[i].words);
		commands[i].run(s, (char **)words->pdata);
		return;
	}
	fail(s, "unknown command %s", (char *)words->pdata[0]);
}

static void remove_root(const char *root)
{
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
		g_autofree char *path = g_build_filename(root, name, NULL);
		g_unlink(path);
	}
	g_rmdir(root);
}

static void run_scenario(gconstpointer data)
{
	struct scenario s = {.file = data};
	s.root = g_dir_make_tmp("solver-XXXXXX", NULL);
	s.root_fd = open(s.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s.builds = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, build_free);
	s.mock = mock_new(s.root_fd);
	g_autofree char *path = g_build_filename(scenario_dir(), s.file, NULL);
	g_autofree char *text = NULL;
	assert_succeeds(g_file_get_contents(path, &text, NULL, &failure));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		s.line++;
		run_line(&s, *line);
	}
	g_hash_table_unref(s.builds);
	mock_free(s.mock);
	close(s.root_fd);
	remove_root(s.root);
	g_free(s.root);
}

static int name_compare(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(scenario_dir(), 0, &error);
	g_assert_no_error(error);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
		if (g_str_has_suffix(name, ".txt"))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, name_compare);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *test = g_strdup_printf("/scenario/%s", (char *)names->pdata[i]);
		g_test_add_data_func(test, names->pdata[i], run_scenario);
	}
	return g_test_run();
}
