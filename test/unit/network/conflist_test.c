/* SPDX-License-Identifier: Apache-2.0 */
#include "network/conflist.h"
#include <string.h>

static json_t *parse(const char *text, bool is_list, GError **error)
{
	return conflist_parse(text, strlen(text), is_list, error);
}

static void assert_json(json_t *value, const char *expected)
{
	g_autofree char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
	g_assert_cmpstr(text, ==, expected);
}

static void test_list(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) list =
		parse("{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"plugins\": [{\"type\": \"a\", \"x\": [1]}, "
		      "{\"type\": \"b\"}]}",
		      true, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(conflist_name(list), ==, "net");
	g_assert_cmpuint(conflist_size(list), ==, 2);
	g_assert_cmpstr(conflist_type(list, 1), ==, "b");
	g_autoptr(json_t) first = conflist_plugin_input(list, 0, NULL);
	assert_json(first, "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"a\",\"x\":[1]}");
	g_autoptr(json_t) prev = json_pack("{s:[]}", "ips");
	g_autoptr(json_t) second = conflist_plugin_input(list, 1, prev);
	assert_json(second, "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"prevResult\":{\"ips\":[]},\"type\":\"b\"}");
	/* The configuration is not changed. */
	g_autoptr(json_t) again = conflist_plugin_input(list, 1, NULL);
	assert_json(again, "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"b\"}");
}

static void test_single(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) list = parse(
		"{\"cniVersion\": \"0.4.0\", \"name\": \"one\", \"type\": \"bridge\", \"mtu\": 9}", false, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(conflist_size(list), ==, 1);
	g_autoptr(json_t) input = conflist_plugin_input(list, 0, NULL);
	assert_json(input, "{\"cniVersion\":\"0.4.0\",\"mtu\":9,\"name\":\"one\",\"type\":\"bridge\"}");
}

static void test_refused(void)
{
	static const struct {
		const char *text;
		bool is_list;
		const char *message;
	} rows[] = {
		{"", true, "*CNI configuration*"},
		{"[]", true, "*not a JSON object*"},
		{"{\"plugins\": [{\"type\": \"a\"}]}", true, "*no name*"},
		{"{\"name\": \"a/b\", \"plugins\": [{\"type\": \"a\"}]}", true, "*invalid network name*"},
		{"{\"name\": \"..\", \"plugins\": [{\"type\": \"a\"}]}", true, "*invalid network name*"},
		{"{\"name\": \"a\", \"plugins\": []}", true, "*no plugins in list*"},
		{"{\"name\": \"a\", \"plugins\": {}}", true, "*no plugins in list*"},
		{"{\"name\": \"a\", \"plugins\": [3]}", true, "failed to parse plugin config 0: *missing 'type'*"},
		{"{\"name\": \"a\", \"plugins\": [{\"type\": \"../sh\"}]}", true, "*invalid plugin name: ../sh*"},
		{"{\"name\": \"a\", \"plugins\": [{\"type\": \"..\"}]}", true, "*invalid plugin name: ..*"},
		{"{\"name\": \"a\", \"cniVersion\": 1, \"plugins\": [{\"type\": \"a\"}]}", true, "*cniVersion*"},
		{"{\"name\": \"a\"}", false, "*missing 'type'*"},
		{"{\"type\": \"a\"}", false, "*no name*"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(parse(rows[i].text, rows[i].is_list, &error));
		if (!g_pattern_match_simple(rows[i].message, error->message))
			g_error("%s: %s", rows[i].text, error->message);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(conflist_load("/nonexistent/cni.json", &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_assert_true(g_str_has_prefix(error->message, "failed to read cni config \"/nonexistent/cni.json\""));
}

static void test_many_plugins(void)
{
	g_autoptr(GString) text = g_string_new("{\"name\": \"a\", \"plugins\": [");
	for (int i = 0; i < 65; i++)
		g_string_append_printf(text, "%s{\"type\": \"a\"}", i > 0 ? "," : "");
	g_string_append(text, "]}");
	g_autoptr(GError) error = NULL;
	g_assert_null(parse(text->str, true, &error));
	g_assert_nonnull(strstr(error->message, "more than 64 plugins"));
}

static void test_bridge(void)
{
	struct conflist_bridge bridge = {"br0", "10.1.0.0/16", "bridge", "host-local", "firewall", "", NULL};
	g_autoptr(json_t) list = conflist_bridge(&bridge);
	g_autoptr(GError) error = NULL;
	g_assert_true(conflist_check(list, &error));
	assert_json(
		list,
		"{\"cniVersion\":\"1.0.0\",\"name\":\"buildkit\",\"plugins\":[{\"bridge\":\"br0\",\"ipMasq\":true,"
		"\"ipam\":{\"ranges\":[[{\"subnet\":\"10.1.0.0/"
		"16\"}]],\"type\":\"host-local\"},\"isDefaultGateway\":true,"
		"\"type\":\"bridge\"},{\"backend\":\"\",\"ingressPolicy\":\"same-bridge\",\"type\":\"firewall\"}]}");
	bridge.data_dir = "/state/addresses";
	g_autoptr(json_t) other = conflist_bridge(&bridge);
	g_autofree char *text = json_dumps(other, JSON_SORT_KEYS);
	g_assert_nonnull(strstr(text, "\"dataDir\": \"/state/addresses\""));
}

static void assert_addresses(const char *result, const char *expected)
{
	g_autoptr(json_t) value = json_loads(result, 0, NULL);
	g_autoptr(GPtrArray) addresses = conflist_addresses(value);
	g_ptr_array_add(addresses, NULL);
	g_autofree char *text = g_strjoinv(" ", (char **)addresses->pdata);
	g_assert_cmpstr(text, ==, expected);
}

static void test_addresses(void)
{
	assert_addresses("{\"ips\": [{\"address\": \"10.0.0.2/16\"}, {\"address\": \"fd00::2/64\"}, {}, 3]}",
			 "10.0.0.2/16 fd00::2/64");
	assert_addresses("{\"ip4\": {\"ip\": \"10.0.0.2/16\"}, \"ip6\": {\"ip\": \"fd00::2/64\"}}",
			 "10.0.0.2/16 fd00::2/64");
	assert_addresses("{\"ips\": 3}", "");
	g_autoptr(GPtrArray) none = conflist_addresses(NULL);
	g_assert_cmpuint(none->len, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/network/conflist/list", test_list);
	g_test_add_func("/network/conflist/single", test_single);
	g_test_add_func("/network/conflist/refused", test_refused);
	g_test_add_func("/network/conflist/many-plugins", test_many_plugins);
	g_test_add_func("/network/conflist/bridge", test_bridge);
	g_test_add_func("/network/conflist/addresses", test_addresses);
	return g_test_run();
}
