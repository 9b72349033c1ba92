/* SPDX-License-Identifier: Apache-2.0 */
/* Records of requests, and policies that are closed. */
#include "netproxy/capture.h"
#include "base/limits.h"
#include "base/thread.h"
#include "netproxy/policy.h"
#include <string.h>

static void test_empty(void)
{
	g_autoptr(netproxy_capture) c = netproxy_capture_new();
	g_assert_null(netproxy_capture_log(c));
	g_autoptr(GPtrArray) materials = netproxy_capture_materials(c);
	g_assert_cmpuint(materials->len, ==, 0);
}

static void test_redirects(void)
{
	g_autoptr(netproxy_capture) c = netproxy_capture_new();
	struct digest digest, other;
	digest_of_text("file", &digest);
	digest_of_text("other", &other);
	netproxy_capture_request(c, "GET", "http://a/1", 302, "http://a/2");
	netproxy_capture_request(c, "GET", "http://a/2", 301, "http://a/3");
	netproxy_capture_request(c, "GET", "http://a/3", 200, NULL);
	netproxy_capture_material(c, "http://a/3", &digest);
	netproxy_capture_material(c, "http://a/3", &digest);
	netproxy_capture_request(c, "GET", "http://loop/1", 302, "http://loop/2");
	netproxy_capture_request(c, "GET", "http://loop/2", 302, "http://loop/1");
	netproxy_capture_material(c, "http://loop/1", &other);
	g_autoptr(GPtrArray) list = netproxy_capture_materials(c);
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < list->len; i++) {
		const struct netproxy_material *m = list->pdata[i];
		g_string_append_printf(text, "%s %s\n", m->url, digest_equal(&m->digest, &digest) ? "file" : "other");
	}
	g_assert_cmpstr(
		text->str, ==,
		"http://a/3 file\nhttp://loop/1 other\nhttp://a/2 file\nhttp://loop/2 other\nhttp://a/1 file\n");
	g_autofree char *log = netproxy_capture_log(c);
	g_assert_true(
		g_str_has_prefix(log, "proxy network requests:\n- GET http://a/1 -> 302\n- GET http://a/2 -> 301\n"));
}

static void test_limits(void)
{
	g_autoptr(netproxy_capture) many = netproxy_capture_new(), large = netproxy_capture_new();
	for (int i = 0; i < LIMIT_PROXY_REQUESTS + 5; i++)
		netproxy_capture_request(many, "GET", "http://a/", 200, NULL);
	g_autofree char *url = g_strnfill(MIB(1), 'x');
	for (int i = 0; i < 6; i++)
		netproxy_capture_incomplete(large, "POST", url, "method_not_materializable");
	g_autoptr(GPtrArray) a = netproxy_capture_all_incomplete(many), b = netproxy_capture_all_incomplete(large);
	g_assert_cmpuint(a->len, ==, 1);
	g_assert_cmpstr(((const struct netproxy_incomplete *)a->pdata[0])->reason, ==, "too_many_requests");
	g_assert_cmpuint(b->len, ==, 4); /* 3 of them with their 3 methods, and the notice */
	g_assert_cmpstr(((const struct netproxy_incomplete *)b->pdata[3])->reason, ==, "too_many_requests");
	g_autofree char *log = netproxy_capture_log(many);
	g_assert_true(g_str_has_suffix(log, "- further requests are not listed\n"));
}

/* ---- policies */

struct rig {
	GMutex mu;
	GCond cond;
	bool entered;
};

static bool wait_for_cancel(void *data, const char *method, const char *url, cancel *c, char **ret_url, GError **error)
{
	struct rig *r = data;
	g_mutex_lock(&r->mu);
	r->entered = true;
	g_cond_signal(&r->cond);
	g_mutex_unlock(&r->mu);
	return cancel_sleep(c, 60000, error);
}

static gpointer close_when_entered(gpointer data)
{
	void **both = data;
	struct rig *r = both[1];
	g_mutex_lock(&r->mu);
	while (!r->entered)
		g_cond_wait(&r->cond, &r->mu);
	g_mutex_unlock(&r->mu);
	netproxy_policy_close(both[0]);
	return NULL;
}

/* The end of a build ends the checks of its steps, and there are none afterwards. */
static void test_close(void)
{
	struct rig r = {0};
	char *url = NULL;
	g_autoptr(GError) error = NULL, later = NULL;
	netproxy_policy *p = netproxy_policy_new("build", wait_for_cancel, &r);
	void *both[] = {p, &r};
	GThread *thread = thread_start("closer", close_when_entered, both, NULL);
	g_assert_false(netproxy_policy_check(p, "GET", "http://a/", NULL, &url, &error));
	g_assert_error(error, error_domain(), ERROR_CANCELED);
	g_thread_join(thread);
	r.entered = false;
	g_assert_false(netproxy_policy_check(p, "GET", "http://a/", NULL, &url, &later));
	g_assert_cmpstr(later->message, ==, "the build of the step has ended");
	g_assert_false(r.entered);
	netproxy_policy_unref(p);
}

static void test_none(void)
{
	char *url = NULL;
	netproxy_policy *p = netproxy_policy_new("", NULL, NULL);
	netproxy_policy_close(p);
	g_assert_true(netproxy_policy_check(p, "GET", "http://a/", NULL, &url, NULL));
	g_assert_null(url);
	netproxy_policy_unref(p);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/netproxy/capture/empty", test_empty);
	g_test_add_func("/netproxy/capture/redirects", test_redirects);
	g_test_add_func("/netproxy/capture/limits", test_limits);
	g_test_add_func("/netproxy/policy/close", test_close);
	g_test_add_func("/netproxy/policy/none", test_none);
	return g_test_run();
}
