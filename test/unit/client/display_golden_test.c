/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden tests of the progress displays: test/golden/display/NAME/script in; plain, tty and rawjson out, each in the
 * file of that name. GOLDEN_UPDATE=1 writes the expected files. The lines of a script (times in seconds; "-": unset):
 *
 *	vertex ID STARTED COMPLETED cached|- ERROR|- GROUP|- NAME...
 *	status ID CURRENT TOTAL STARTED COMPLETED STATUS-ID...
 *	log ID SECONDS TEXT     C escapes
 *	warning ID TEXT
 *	print SECONDS           sends the previous lines as one message; the clock is SECONDS when the display prints
 *
 * The end of the script is the end of the build.
 */
#include "api/message.h"
#include "base/scope.h"
#include "base/time.h"
#include "client/display_mode.h"
#include "lib/outcome.h"
#include "os/file.h"
#include <string.h>
#include <sys/mman.h>

static int64_t clock_ns;

static int64_t script_now(void)
{
	return clock_ns;
}

static int64_t seconds_ns(const char *text)
{
	return strcmp(text, "-") == 0 ? 0 : (int64_t)(g_ascii_strtod(text, NULL) * 10) * (NS_PER_S / 10);
}

static Google__Timestamp *stamp(const char *text)
{
	return strcmp(text, "-") == 0 ? NULL : message_time_new(seconds_ns(text));
}

static char *text_or_empty(const char *text)
{
	return g_strdup(strcmp(text, "-") == 0 ? "" : text);
}

static ProtobufCBinaryData unescape(const char *text)
{
	char *bytes = g_strcompress(text);
	return (ProtobufCBinaryData){strlen(bytes), (uint8_t *)bytes};
}

static void add_vertex(Control__StatusResponse *m, char **word)
{
	Control__Vertex *v = message_new(Control__Vertex, control__vertex);
	v->digest = g_strdup(word[1]);
	v->started = stamp(word[2]);
	v->completed = stamp(word[3]);
	v->cached = strcmp(word[4], "cached") == 0;
	g_autofree char *error = text_or_empty(word[5]);
	v->error = g_strdelimit(g_strdup(error), "_", ' ');
	if (strcmp(word[6], "-") != 0) {
		v->progressgroup = message_new(Pb__ProgressGroup, pb__progress_group);
		v->progressgroup->id = g_strdup(word[6]);
		v->progressgroup->name = g_strconcat("group ", word[6], NULL);
	}
	v->name = g_strcompress(word[7]);
	message_append(m, vertexes, v);
}

static void add_status(Control__StatusResponse *m, char **word)
{
	Control__VertexStatus *s = message_new(Control__VertexStatus, control__vertex_status);
	s->vertex = g_strdup(word[1]);
	s->current = g_ascii_strtoll(word[2], NULL, 10);
	s->total = g_ascii_strtoll(word[3], NULL, 10);
	s->started = stamp(word[4]);
	s->completed = stamp(word[5]);
	s->timestamp = stamp(strcmp(word[5], "-") == 0 ? word[4] : word[5]);
	s->id = g_strcompress(word[6]);
	message_append(m, statuses, s);
}

static void add_log(Control__StatusResponse *m, char **word)
{
	Control__VertexLog *l = message_new(Control__VertexLog, control__vertex_log);
	l->vertex = g_strdup(word[1]);
	l->stream = 1;
	l->timestamp = stamp(word[2]);
	l->msg = unescape(word[3]);
	message_append(m, logs, l);
}

static void add_warning(Control__StatusResponse *m, char **word)
{
	Control__VertexWarning *w = message_new(Control__VertexWarning, control__vertex_warning);
	w->vertex = g_strdup(word[1]);
	w->level = 1;
	w->short_ = unescape(word[2]);
	message_append(m, warnings, w);
}

static void add_line(Control__StatusResponse *m, const char *line)
{
	static const struct {
		const char *word;
		int n_words;
		void (*add)(Control__StatusResponse *m, char **word);
	} kinds[] = {
		{"vertex", 8, add_vertex}, {"status", 7, add_status}, {"log", 4, add_log}, {"warning", 3, add_warning}};
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_auto(GStrv) words = g_strsplit(line, " ", kinds[i].n_words);
		if (words[0] && strcmp(words[0], kinds[i].word) == 0) {
			g_assert_cmpuint(g_strv_length(words), ==, (guint)kinds[i].n_words);
			kinds[i].add(m, words);
			return;
		}
	}
	g_error("no such line: %s", line);
}

static void take(const struct display_mode *mode, void *self, struct model *model, Control__StatusResponse *m)
{
	if (mode->message)
		mode->message(self, m);
	model_update(model, m);
	guard_free(m);
}

/* Returns everything that a mode writes during the script. */
static char *run_script(const struct display_mode *mode, const char *script)
{
	scoped_fd fd = memfd_create("display", MFD_CLOEXEC);
	g_assert_cmpint(fd, >=, 0);
	struct display_output out = {.fd = fd, .now_ns = script_now};
	struct model model;
	clock_ns = NS_PER_S;
	model_init(&model);
	model.started_ns = 0;
	void *self = mode->open(&out);
	Control__StatusResponse *m = message_new(Control__StatusResponse, control__status_response);
	g_auto(GStrv) lines = g_strsplit(script, "\n", -1);
	for (char **line = lines; *line; line++) {
		if (g_str_has_prefix(*line, "print ")) {
			clock_ns = seconds_ns(*line + strlen("print "));
			take(mode, self, &model, m);
			m = message_new(Control__StatusResponse, control__status_response);
			if (mode->print)
				mode->print(self, &model, false);
		} else if (**line && **line != '#') {
			add_line(m, *line);
		}
	}
	take(mode, self, &model, m);
	if (mode->print)
		mode->print(self, &model, true);
	mode->close(self);
	model_clear(&model);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	char *text = NULL;
	assert_succeeds(g_file_get_contents(path, &text, NULL, &failure));
	return text;
}

static void compare(const char *dir, const char *name, const char *got)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *want = NULL;
	if (g_getenv("GOLDEN_UPDATE"))
		assert_succeeds(g_file_set_contents(path, got, -1, &failure));
	assert_succeeds(g_file_get_contents(path, &want, NULL, &failure));
	if (strcmp(got, want) != 0)
		g_test_message("%s is:\n%s", path, got);
	g_assert_cmpstr(got, ==, want);
}

static void test_script(gconstpointer data)
{
	const char *dir = data;
	g_autofree char *path = g_build_filename(dir, "script", NULL);
	g_autofree char *script = NULL;
	assert_succeeds(g_file_get_contents(path, &script, NULL, &failure));
	const struct display_mode *const modes[] = {&display_plain, &display_tty, &display_json};
	static const char *const names[] = {"plain", "tty", "rawjson"};
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		g_autofree char *got = run_script(modes[i], script);
		compare(dir, names[i], got);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	static const char *const unset[] = {"BUILDKIT_COLORS", "NO_COLOR", "BUILDKIT_TTY_LOG_LINES",
					    "PROGRESS_NO_TRUNC"};
	for (size_t i = 0; i < G_N_ELEMENTS(unset); i++)
		g_unsetenv(unset[i]);
	/* Beside this file, as the compiler was given it (relative to the build directory, where tests run). */
	g_autofree char *here = g_path_get_dirname(__FILE__);
	g_autofree char *root = g_build_filename(here, "../../golden/display", NULL);
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	g_assert_nonnull(dir);
	unsigned n = 0;
	for (const char *name; (name = g_dir_read_name(dir)); n++) {
		g_autofree char *test = g_strconcat("/display/", name, NULL);
		g_test_add_data_func_full(test, g_build_filename(root, name, NULL), test_script, g_free);
	}
	g_assert_cmpuint(n, >=, 5);
	return g_test_run();
}
