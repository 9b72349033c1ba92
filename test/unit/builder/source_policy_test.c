/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "builder/source_policy.h"
#include "lib/outcome.h"
#include <string.h>

#define BUSYBOX "docker-image://docker.io/library/busybox:latest"
#define ALPINE "docker-image://docker.io/library/alpine:latest"
#define DEBIAN "docker-image://docker.io/library/debian:12"

enum {
	ALLOW = POLICY__POLICY_ACTION__ALLOW,
	DENY = POLICY__POLICY_ACTION__DENY,
	CONVERT = POLICY__POLICY_ACTION__CONVERT
};
enum { WILDCARD = POLICY__MATCH_TYPE__WILDCARD, EXACT = POLICY__MATCH_TYPE__EXACT, REGEX = POLICY__MATCH_TYPE__REGEX };
enum {
	EQUAL = POLICY__ATTR_MATCH__EQUAL,
	NOTEQUAL = POLICY__ATTR_MATCH__NOTEQUAL,
	MATCHES = POLICY__ATTR_MATCH__MATCHES
};

struct rule {
	int action, kind;
	const char *selector, *to; /* to: NULL, no update */
	const char *attr, *value;  /* name of an attribute that is set */
	int condition;             /* of key */
	const char *key, *wanted;  /* constraint */
};

/* Creates a policy; guard_free. */
static Policy__Policy *policy_of(const struct rule *rules, size_t n)
{
	Policy__Policy *p = g_new0(Policy__Policy, 1);
	policy__policy__init(p);
	p->rules = g_new0(Policy__Rule *, n);
	for (; p->n_rules < n; p->n_rules++) {
		const struct rule *r = &rules[p->n_rules];
		Policy__Selector selector = POLICY__SELECTOR__INIT;
		Policy__AttrConstraint constraint = POLICY__ATTR_CONSTRAINT__INIT, *constraints[] = {&constraint};
		Policy__Update update = POLICY__UPDATE__INIT;
		Policy__Update__AttrsEntry attr = POLICY__UPDATE__ATTRS_ENTRY__INIT, *attrs[] = {&attr};
		Policy__Rule rule = POLICY__RULE__INIT;
		rule.action = (Policy__PolicyAction)r->action;
		rule.selector = &selector;
		selector.identifier = (char *)r->selector;
		selector.match_type = (Policy__MatchType)r->kind;
		selector.constraints = constraints;
		selector.n_constraints = r->key ? 1 : 0;
		constraint.key = (char *)r->key;
		constraint.value = (char *)r->wanted;
		constraint.condition = (Policy__AttrMatch)r->condition;
		rule.updates = r->to ? &update : NULL;
		update.identifier = (char *)r->to;
		update.attrs = attrs;
		update.n_attrs = r->attr ? 1 : 0;
		attr.key = (char *)r->attr;
		attr.value = (char *)r->value;
		p->rules[p->n_rules] = message_copy(&rule);
	}
	return p;
}

static Pb__SourceOp *source_of(const char *identifier, const char *key, const char *value)
{
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Pb__SourceOp__AttrsEntry attr = PB__SOURCE_OP__ATTRS_ENTRY__INIT, *attrs[] = {&attr};
	op.identifier = (char *)identifier;
	op.attrs = attrs;
	op.n_attrs = key ? 1 : 0;
	attr.key = (char *)key;
	attr.value = (char *)value;
	return message_copy(&op);
}

struct verdict {
	bool ok, changed;
	char *identifier; /* owned */
	char *attr;       /* owned; the value of "a" */
	char *error;      /* owned */
};

static struct verdict apply(Policy__Policy *const *policies, size_t n, const char *identifier, const char *value)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(source_policy) p = source_policy_new();
	struct verdict v = {0};
	for (size_t i = 0; i < n; i++)
		assert_succeeds(source_policy_add(p, policies[i], &failure));
	Pb__SourceOp *op = source_of(identifier, value ? "a" : NULL, value);
	v.ok = source_policy_apply(p, op, &v.changed, &error);
	v.identifier = g_strdup(op->identifier);
	for (size_t i = 0; i < op->n_attrs; i++)
		if (strcmp(op->attrs[i]->key, "a") == 0)
			v.attr = g_strdup(op->attrs[i]->value);
	v.error = error ? g_strdup(error->message) : NULL;
	guard_free(op);
	return v;
}

static void verdict_clear(struct verdict *v)
{
	g_free(v->identifier);
	g_free(v->attr);
	g_free(v->error);
}

#define DENIED(id) "source \"" id "\" denied by policy: source denied by policy"

static const struct policy_case {
	struct rule rules[4];
	const char *from, *value;
	const char *to, *attr; /* NULL: unchanged */
	const char *error;
} cases[] = {
	/* the last matching rule decides */
	{{{ALLOW, WILDCARD, BUSYBOX}, {DENY, WILDCARD, BUSYBOX}, {ALLOW, WILDCARD, BUSYBOX}},
	 BUSYBOX,
	 NULL,
	 NULL,
	 NULL,
	 NULL},
	{{{ALLOW, WILDCARD, BUSYBOX}, {DENY, WILDCARD, "*"}}, BUSYBOX, NULL, NULL, NULL, DENIED(BUSYBOX)},
	{{{DENY, EXACT, "docker-image://*"}}, BUSYBOX, NULL, NULL, NULL, NULL},
	{{{DENY, WILDCARD, BUSYBOX}}, "docker-image://busybox", NULL, NULL, NULL, DENIED(BUSYBOX)},
	/* converted sources are checked again */
	{{{CONVERT, EXACT, BUSYBOX, ALPINE}, {CONVERT, EXACT, ALPINE, DEBIAN}}, BUSYBOX, NULL, DEBIAN, NULL, NULL},
	{{{DENY, WILDCARD, "docker-image://docker.io/library/alpine:*"}, {CONVERT, WILDCARD, BUSYBOX, ALPINE}},
	 BUSYBOX,
	 NULL,
	 NULL,
	 NULL,
	 DENIED(ALPINE)},
	{{{DENY, WILDCARD, BUSYBOX}, {CONVERT, WILDCARD, BUSYBOX, ALPINE}}, BUSYBOX, NULL, ALPINE, NULL, NULL},
	{{{CONVERT, WILDCARD, BUSYBOX, ALPINE}, {CONVERT, WILDCARD, ALPINE, BUSYBOX}},
	 BUSYBOX,
	 NULL,
	 NULL,
	 NULL,
	 "too many mutations on a single source: too many operations"},
	{{{CONVERT, WILDCARD, "docker-image://docker.io/library/*:*", "docker-image://h/$1:${2}"}},
	 BUSYBOX,
	 NULL,
	 "docker-image://h/busybox:latest",
	 NULL,
	 NULL},
	{{{CONVERT, REGEX, "docker\\.io/(?P<path>[^:]+)", "h/${path}"}},
	 BUSYBOX,
	 NULL,
	 "docker-image://h/library/busybox:latest",
	 NULL,
	 NULL},
	{{{CONVERT, WILDCARD, BUSYBOX, BUSYBOX}}, BUSYBOX, NULL, NULL, NULL, NULL},
	{{{CONVERT, WILDCARD, BUSYBOX}},
	 BUSYBOX,
	 NULL,
	 NULL,
	 NULL,
	 "error mutating source policy: missing destination for convert rule"},
	/* attributes */
	{{{CONVERT, WILDCARD, "https://h/f", "", "a", "sha256:1"}}, "https://h/f", NULL, NULL, "sha256:1", NULL},
	{{{CONVERT, WILDCARD, "https://h/f", "", "a", "2"}}, "https://h/f", "1", NULL, "2", NULL},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, EQUAL, "a", "1"}},
	 "https://h/f",
	 "1",
	 NULL,
	 "1",
	 DENIED("https://h/f")},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, EQUAL, "a", "1"}}, "https://h/f", "2", NULL, "2", NULL},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, EQUAL, "a", "1"}}, "https://h/f", NULL, NULL, NULL, NULL},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, NOTEQUAL, "a", "1"}},
	 "https://h/f",
	 NULL,
	 NULL,
	 NULL,
	 DENIED("https://h/f")},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, MATCHES, "a", "^b\\w+"}},
	 "https://h/f",
	 "bar",
	 NULL,
	 "bar",
	 DENIED("https://h/f")},
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, MATCHES, "a", "^\\d"}}, "https://h/f", "bar", NULL, "bar", NULL},
	/* an invalid rule is an error only when it is evaluated */
	{{{DENY, WILDCARD, "*", NULL, NULL, NULL, 7, "a", ""}},
	 "https://h/f",
	 NULL,
	 NULL,
	 NULL,
	 "error matching source policy: unknown attr condition: 7"},
	{{{DENY, 9, "*"}}, "https://h/f", NULL, NULL, NULL, "error matching source policy: unknown match type: 9"},
	{{{5, WILDCARD, "*"}},
	 "https://h/f",
	 NULL,
	 NULL,
	 NULL,
	 "source policy: rule 5 *: unknown type \"https://h/f\""},
	{{{ALLOW, WILDCARD, "a**"}},
	 "https://h/f",
	 NULL,
	 NULL,
	 NULL,
	 "error matching source policy: failed to translate wildcard \"a**\" to regexp: invalid wildcard: "
	 "\"**\""},
};

static void check_case(const struct policy_case *c)
{
	size_t n = 0;
	while (n < G_N_ELEMENTS(c->rules) && c->rules[n].selector)
		n++;
	Policy__Policy *policy = policy_of(c->rules, n);
	struct verdict v = apply(&policy, 1, c->from, c->value);
	g_assert_cmpstr(v.error, ==, c->error);
	g_assert_true(v.ok == !c->error);
	if (v.ok) {
		g_assert_cmpstr(v.identifier, ==, c->to ? c->to : c->from);
		g_assert_cmpstr(v.attr, ==, c->attr ? c->attr : c->value);
		g_assert_true(v.changed == (c->to || (c->attr && g_strcmp0(c->attr, c->value) != 0)));
	}
	verdict_clear(&v);
	guard_free(policy);
}

static void test_rules(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_case(&cases[i]);
}

static void test_several(void)
{
	const struct rule allow = {ALLOW, WILDCARD, "*"}, deny = {DENY, WILDCARD, ALPINE},
			  convert = {CONVERT, WILDCARD, BUSYBOX, ALPINE};
	Policy__Policy *policies[] = {policy_of(&allow, 1), policy_of(&deny, 1), policy_of(&convert, 1)};
	/*
	 * ALLOW in one policy does not override another; a conversion by a later policy is checked by the earlier ones
	 */
	struct verdict v = apply(policies, 2, ALPINE, NULL);
	g_assert_cmpstr(v.error, ==, DENIED(ALPINE));
	verdict_clear(&v);
	v = apply(policies, 3, BUSYBOX, NULL);
	g_assert_cmpstr(v.error, ==, DENIED(ALPINE));
	verdict_clear(&v);
	for (size_t i = 0; i < G_N_ELEMENTS(policies); i++)
		guard_free(policies[i]);
}

static void test_bounds(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(source_policy) p = source_policy_new();
	const struct rule grow = {CONVERT, WILDCARD, "https://*", "https://${1}${1}${1}${1}"};
	Policy__Policy *policy = policy_of(&grow, 1);
	struct verdict v = apply(&policy, 1, "https://abc", NULL);
	g_assert_nonnull(strstr(v.error, "is longer than"));
	verdict_clear(&v);
	guard_free(policy);
	Policy__Policy empty = POLICY__POLICY__INIT, bad = POLICY__POLICY__INIT;
	Policy__Rule rule = POLICY__RULE__INIT, *rules[] = {&rule};
	g_assert_true(source_policy_add(p, &empty, &error) && source_policy_add(p, NULL, &error));
	g_assert_true(source_policy_is_empty(p));
	bad.rules = rules;
	bad.n_rules = 1;
	g_assert_false(source_policy_add(p, &bad, &error));
	g_assert_cmpstr(error->message, ==, "invalid nil selector in policy");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/source_policy/rules", test_rules);
	g_test_add_func("/source_policy/several", test_several);
	g_test_add_func("/source_policy/bounds", test_bounds);
	return g_test_run();
}
