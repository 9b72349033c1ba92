/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "lib/cache_rig.h"
#include "lib/http_server.h"

struct fixture {
	struct rig rig;
	struct server *server;
	char *text; /* body of the server's reply, also used as its ETag */
	registry *registry;
	struct source_context context;
};

static void serve(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	struct fixture *x = data;
	g_autofree char *tag = g_strdup_printf("\"%s\"", x->text);
	if (g_str_equal(q->path, "/tagged"))
		http_server_reply_header(r, "ETag", tag);
	http_server_reply_text(r, 200, x->text);
}

static void answer(struct fixture *x, const char *text)
{
	g_mutex_lock(&x->server->mu);
	g_free(x->text);
	x->text = g_strdup(text);
	g_mutex_unlock(&x->server->mu);
}

static void set_up(struct fixture *x, gconstpointer path)
{
	rig_set_up(&x->rig, "native");
	x->server = http_server_start(serve, x);
	answer(x, "one");
	x->registry = registry_new(&(struct registry_config){.user_agent = "test"});
	x->context = (struct source_context){
		.cache = x->rig.c, .blobs = x->rig.blobs, .registry = x->registry, .user_agent = "test"};
}

static void tear_down(struct fixture *x, gconstpointer path)
{
	registry_free(x->registry); /* closes its connections, for which the server waits */
	http_server_stop(x->server);
	g_free(x->text);
	rig_tear_down(&x->rig, NULL);
}

/* Returns the content of the file in a build with these pins; checksum may be NULL. */
static char *content(struct fixture *x, const char *path, const char *checksum, pins *build)
{
	g_autofree char *url = g_strdup_printf("http://%s%s", x->server->address, path);
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Pb__SourceOp__AttrsEntry name = PB__SOURCE_OP__ATTRS_ENTRY__INIT, sum = PB__SOURCE_OP__ATTRS_ENTRY__INIT;
	Pb__SourceOp__AttrsEntry *attrs[] = {&name, &sum};
	pins *const list[] = {build, NULL};
	struct work work = {.pins = list};
	g_autoptr(GError) error = NULL;
	cache_ref *ref = NULL;
	char *key = NULL;
	bool last;
	op.identifier = url;
	name.key = (char *)"http.filename";
	name.value = (char *)"f";
	sum.key = (char *)"http.checksum";
	sum.value = (char *)checksum;
	op.attrs = attrs;
	op.n_attrs = checksum ? 2 : 1;
	g_autoptr(source) s = source_open(&x->context, &op, NULL, &error);
	if (!s || !source_cache_key(s, &work, 0, &key, &last, &error) || !source_snapshot(s, &work, &ref, &error))
		return g_strconcat("!", error->message, NULL);
	scoped_fd fd = rig_tree(&x->rig, ref, CACHE_TREE_READ);
	cache_ref_unref(ref);
	g_free(key);
	return tree_dir_read(fd, "f");
}

static void expect(struct fixture *x, const char *path, const char *checksum, pins *build, const char *want)
{
	g_autofree char *got = content(x, path, checksum, build);
	g_assert_cmpstr(got, ==, want);
}

/* A URL is requested once per build, even if the server's reply changes or a prune removes the record. */
static void test_once_a_build(struct fixture *x, gconstpointer path)
{
	pins *first = pins_new(), *second = pins_new();
	struct digest one;
	digest_of_text("one", &one);
	expect(x, path, NULL, first, "one");
	answer(x, "two");
	expect(x, path, NULL, first, "one");
	expect(x, path, one.text, first, "one");
	GError *error = NULL;
	cache_prune(x->rig.c, &(struct cache_prune_options){.all = true}, NULL, NULL, NULL, &error);
	g_assert_no_error(error);
	expect(x, path, NULL, first, "one");
	expect(x, path, NULL, second, "two");
	expect(x, path, NULL, first, "one");
	pins_unref(first);
	pins_unref(second);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/http/once-a-build/tagged", struct fixture, "/tagged", set_up, test_once_a_build, tear_down);
	g_test_add("/http/once-a-build/plain", struct fixture, "/plain", set_up, test_once_a_build, tear_down);
	return g_test_run();
}
