/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "client/policy_json.h"
#include <string.h>

static void test_read(void)
{
	static const char text[] =
		"{\"version\":1,\"other\":[],\"Rules\":[{\"action\":\"CONVERT\",\"selector\":{\"identifier\":\"https://"
		"h/*\","
		"\"match_type\":\"REGEX\",\"constraints\":[{\"key\":\"http.checksum\",\"value\":\"x\",\"condition\":"
		"\"NOTEQUAL\"},"
		"{\"key\":\"k\"}]},\"updates\":{\"identifier\":\"https://i/\",\"attrs\":{\"a\":\"1\",\"b\":null}}},"
		"{\"action\":1,\"selector\":{},\"updates\":null}]}";
	g_autoptr(GError) error = NULL;
	Policy__Policy *p = policy_json_read(text, strlen(text), &error);
	g_assert_no_error(error);
	g_assert_cmpint(p->version, ==, 1);
	g_assert_cmpuint(p->n_rules, ==, 2);
	const Policy__Rule *r = p->rules[0];
	g_assert_cmpint(r->action, ==, POLICY__POLICY_ACTION__CONVERT);
	g_assert_cmpstr(r->selector->identifier, ==, "https://h/*");
	g_assert_cmpint(r->selector->match_type, ==, POLICY__MATCH_TYPE__REGEX);
	g_assert_cmpuint(r->selector->n_constraints, ==, 2);
	g_assert_cmpstr(r->selector->constraints[0]->key, ==, "http.checksum");
	g_assert_cmpint(r->selector->constraints[0]->condition, ==, POLICY__ATTR_MATCH__NOTEQUAL);
	g_assert_cmpstr(r->selector->constraints[1]->value, ==, "");
	g_assert_cmpint(r->selector->constraints[1]->condition, ==, POLICY__ATTR_MATCH__EQUAL);
	g_assert_cmpstr(r->updates->identifier, ==, "https://i/");
	g_assert_cmpuint(r->updates->n_attrs, ==, 2);
	g_assert_cmpstr(r->updates->attrs[0]->value, ==, "1");
	g_assert_cmpint(p->rules[1]->action, ==, POLICY__POLICY_ACTION__DENY);
	g_assert_nonnull(p->rules[1]->selector);
	g_assert_null(p->rules[1]->updates);
	guard_free(p);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", NULL},
		{"{} x", NULL},
		{"[]", "a policy is an object"},
		{"{\"version\":\"1\"}", "\"version\" is not a number"},
		{"{\"rules\":{}}", "\"rules\" is not a list"},
		{"{\"rules\":[1]}", "\"rules\" is not a list of objects"},
		{"{\"rules\":[null]}", "invalid nil rule in policy"},
		{"{\"rules\":[{\"action\":\"allow\"}]}", "unrecognized enum ALLOW value \"allow\""},
		{"{\"rules\":[{\"action\":3}]}", "invalid PolicyAction value: 3"},
		{"{\"rules\":[{\"action\":-1}]}", "invalid PolicyAction value: -1"},
		{"{\"rules\":[{\"action\":1.5}]}", "\"action\" is not a string or a number"},
		{"{\"rules\":[{\"selector\":{\"match_type\":\"GLOB\"}}]}", "unrecognized enum WILDCARD value \"GLOB\""},
		{"{\"rules\":[{\"selector\":{\"constraints\":[null]}}]}", "invalid nil constraint in policy"},
		{"{\"rules\":[{\"selector\":{\"constraints\":[{\"condition\":9}]}}]}", "invalid AttrMatch value: 9"},
		{"{\"rules\":[{\"selector\":{\"identifier\":1}}]}", "\"identifier\" is not a string"},
		{"{\"rules\":[{\"updates\":{\"attrs\":{\"a\":1}}}]}", "\"attrs\" is not an object of strings"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(policy_json_read(cases[i].text, strlen(cases[i].text), &error));
		g_assert_nonnull(error);
		if (cases[i].want)
			g_assert_cmpstr(error->message, ==, cases[i].want);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/policy_json/read", test_read);
	g_test_add_func("/policy_json/refused", test_refused);
	return g_test_run();
}
