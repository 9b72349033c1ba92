/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/policy_session.h"
#include "lib/fake_client.h"
#include "builder/build_internal.h"

/* A build whose client answers with a function of the test. */
struct rig {
	struct pair pair;
	struct client client;
	worker worker;
	struct build_request request;
	builder *builder;
	struct build build;
	source_policy *policy;
	struct source_check check;
	struct work work;
};

static void rig_init(struct rig *r, fake_policy_fn answer, void *data)
{
	pair_up(&r->pair);
	r->client.fake.policy = answer;
	r->client.fake.policy_data = data;
	client_start(&r->client, &r->pair, "judge", NULL);
	r->worker.sessions = r->pair.registry;
	worker *workers[] = {&r->worker};
	r->builder =
		builder_new(&(struct builder_options){.workers = g_memdup2(workers, sizeof workers), .n_workers = 1});
	r->request.policy_session = "judge";
	r->build.builder = r->builder;
	r->build.request = &r->request;
	r->policy = source_policy_new();
	r->work.cancel = cancel_new(NULL);
	source_check_init(&r->check, &r->build, r->policy);
}

static void rig_clear(struct rig *r)
{
	source_check_clear(&r->check);
	source_policy_free(r->policy);
	g_free((void *)(uintptr_t)builder_get_options(r->builder)->workers);
	builder_free(r->builder);
	cancel_unref(r->work.cancel);
	client_stop(&r->client);
	pair_down(&r->pair);
}

static Pb__SourceOp *op_new(const char *identifier)
{
	Pb__SourceOp *op = g_new(Pb__SourceOp, 1);
	pb__source_op__init(op);
	op->identifier = g_strdup(identifier);
	return op;
}

static Policysession__CheckPolicyResponse *decide(Policy__PolicyAction action)
{
	NEW_REPLY(Policysession__CheckPolicyResponse, policysession__check_policy_response__init);
	reply->result_case = POLICYSESSION__CHECK_POLICY_RESPONSE__RESULT_DECISION;
	reply->decision = g_new(Policysession__DecisionResponse, 1);
	policysession__decision_response__init(reply->decision);
	reply->decision->action = action;
	return reply;
}

static Policysession__CheckPolicyResponse *want(const char *identifier)
{
	NEW_REPLY(Policysession__CheckPolicyResponse, policysession__check_policy_response__init);
	reply->result_case = POLICYSESSION__CHECK_POLICY_RESPONSE__RESULT_REQUEST;
	reply->request = g_new(Gateway__ResolveSourceMetaRequest, 1);
	gateway__resolve_source_meta_request__init(reply->request);
	if (identifier)
		reply->request->source = op_new(identifier);
	return reply;
}

static bool run(struct rig *r, const char *identifier, char **ret_identifier, bool *ret_changed, GError **error)
{
	struct llb_source s = {.op = op_new(identifier)};
	bool ok = source_check_run(&r->check, &s, &r->work, error);
	if (ret_identifier)
		*ret_identifier = g_strdup(s.op->identifier);
	if (ret_changed)
		*ret_changed = s.changed;
	guard_free(s.op);
	return ok;
}

/* ---- decisions */

static Policysession__CheckPolicyResponse *by_name(const Policysession__CheckPolicyRequest *m, void *data,
						   GError **error)
{
	const char *id = m->source->source->identifier;
	if (strcmp(id, "docker-image://docker.io/library/allowed:latest") == 0)
		return decide(POLICY__POLICY_ACTION__ALLOW);
	if (strcmp(id, "docker-image://docker.io/library/denied:latest") == 0) {
		Policysession__CheckPolicyResponse *reply = decide(POLICY__POLICY_ACTION__DENY);
		reply->decision->n_denymessages = 2;
		reply->decision->denymessages = g_new(Policysession__DenyMessage *, 2);
		for (int i = 0; i < 2; i++) {
			reply->decision->denymessages[i] = g_new(Policysession__DenyMessage, 1);
			policysession__deny_message__init(reply->decision->denymessages[i]);
			reply->decision->denymessages[i]->message = g_strdup(i ? "use \"another\"" : "not this one");
		}
		return reply;
	}
	if (strcmp(id, "docker-image://docker.io/library/odd:latest") == 0)
		return decide(17);
	if (strcmp(id, "local://empty") == 0) {
		NEW_REPLY(Policysession__CheckPolicyResponse, policysession__check_policy_response__init);
		return reply;
	}
	error_set(error, ERROR_UNKNOWN, "no idea of %s", id);
	return NULL;
}

static void test_decisions(void)
{
	struct rig r = {0};
	g_autoptr(GError) error = NULL;
	g_autofree char *left = NULL;
	bool changed = true;
	rig_init(&r, by_name, NULL);
	/* The client checks the full name; the identifier keeps its form. */
	g_assert_true(run(&r, "docker-image://allowed", &left, &changed, &error));
	g_assert_cmpstr(left, ==, "docker-image://allowed");
	g_assert_false(changed);

	g_assert_false(run(&r, "docker-image://denied", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==,
			"source \"docker-image://docker.io/library/denied:latest\" not allowed by policy: action DENY");
	const GPtrArray *details = error_get_details(error);
	g_assert_cmpuint(details->len, ==, 1);
	const struct error_detail *d = details->pdata[0];
	g_assert_cmpstr(d->type, ==, "policysession.DecisionResponse");
	g_assert_cmpstr(d->json, ==,
			"{\"action\":\"DENY\",\"denyMessages\":[{\"message\":\"not this one\"},"
			"{\"message\":\"use \\\"another\\\"\"}]}");
	g_clear_error(&error);

	g_assert_false(run(&r, "docker-image://odd", NULL, NULL, &error));
	g_assert_true(g_str_has_suffix(error->message, "not allowed by policy: action 17"));
	g_clear_error(&error);
	g_assert_false(run(&r, "local://empty", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "no decision in policy response");
	g_clear_error(&error);
	g_assert_false(run(&r, "local://other", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "no idea of local://other");
	rig_clear(&r);
}

/* ---- conversions */

static Policysession__CheckPolicyResponse *convert_once(const Policysession__CheckPolicyRequest *m, void *data,
							GError **error)
{
	const Pb__SourceOp *op = m->source->source;
	g_string_append_printf(data, "%s;", op->identifier);
	if (strcmp(op->identifier, "local://loop") == 0 || strcmp(op->identifier, "local://nothing") == 0) {
		Policysession__CheckPolicyResponse *reply = decide(POLICY__POLICY_ACTION__CONVERT);
		if (op->identifier[8] == 'l')
			reply->decision->update = op_new("local://loop");
		return reply;
	}
	if (strcmp(op->identifier, "docker-image://docker.io/library/a:latest") != 0)
		return decide(op->n_attrs == 1 && strcmp(op->attrs[0]->value, "bar") == 0
				      ? POLICY__POLICY_ACTION__ALLOW
				      : POLICY__POLICY_ACTION__DENY);
	Policysession__CheckPolicyResponse *reply = decide(POLICY__POLICY_ACTION__CONVERT);
	reply->decision->update = op_new("docker-image://b:1");
	reply->decision->update->n_attrs = 1;
	reply->decision->update->attrs = g_new(Pb__SourceOp__AttrsEntry *, 1);
	reply->decision->update->attrs[0] = g_new(Pb__SourceOp__AttrsEntry, 1);
	pb__source_op__attrs_entry__init(reply->decision->update->attrs[0]);
	reply->decision->update->attrs[0]->key = g_strdup("foo");
	reply->decision->update->attrs[0]->value = g_strdup("bar");
	return reply;
}

static void test_conversions(void)
{
	struct rig r = {0};
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) asked = g_string_new(NULL);
	g_autofree char *left = NULL;
	bool changed = false;
	rig_init(&r, convert_once, asked);
	/* The new source is checked again. */
	g_assert_true(run(&r, "docker-image://a", &left, &changed, &error));
	g_assert_cmpstr(left, ==, "docker-image://b:1");
	g_assert_true(changed);
	g_assert_cmpstr(asked->str, ==,
			"docker-image://docker.io/library/a:latest;docker-image://docker.io/library/b:1;");

	g_string_truncate(asked, 0);
	g_assert_false(run(&r, "local://loop", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "too many policy requests");
	g_assert_cmpuint(asked->len, ==, POLICY_REQUESTS_MAX * strlen("local://loop;"));
	g_clear_error(&error);

	g_assert_false(run(&r, "local://nothing", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "convert action requires updated source");
	rig_clear(&r);
}

/* ---- metadata */

static Policysession__CheckPolicyResponse *ask_first(const Policysession__CheckPolicyRequest *m, void *data,
						     GError **error)
{
	int *n = data;
	const char *id = m->source->source->identifier;
	if (strcmp(id, "local://other") == 0)
		return want("local://else");
	if (strcmp(id, "local://null") == 0)
		return want(NULL);
	if (strcmp(id, "local://forever") == 0 || (*n)++ == 0)
		return want(id);
	return decide(POLICY__POLICY_ACTION__ALLOW);
}

static void test_metadata(void)
{
	struct rig r = {0};
	g_autoptr(GError) error = NULL;
	int n = 0;
	rig_init(&r, ask_first, &n);
	g_assert_true(run(&r, "local://x", NULL, NULL, &error));
	g_assert_cmpint(n, ==, 2);
	g_assert_false(run(&r, "local://other", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==,
			"policy requested different source identifier: \"local://else\" != \"local://other\"");
	g_clear_error(&error);
	g_assert_false(run(&r, "local://null", NULL, NULL, &error));
	g_assert_nonnull(strstr(error->message, "different source identifier"));
	g_clear_error(&error);
	g_assert_false(run(&r, "local://forever", NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "too many policy requests");
	rig_clear(&r);
}

/* ---- clients that do not answer once */

/* The first of two answers would allow the source. */
static void test_two_answers(void)
{
	struct rig r = {0};
	g_autoptr(GError) error = NULL;
	Policysession__CheckPolicyResponse *extra = decide(POLICY__POLICY_ACTION__ALLOW);
	rig_init(&r, by_name, NULL);
	r.client.fake.policy_extra = extra;
	g_assert_false(run(&r, "docker-image://denied", NULL, NULL, &error));
	g_assert_true(error_is(error, ERROR_INTERNAL));
	g_assert_true(g_str_has_prefix(error->message, "cardinality violation: "));
	rig_clear(&r);
	guard_free(extra);
}

struct silence {
	struct rig *rig;
	GMutex mu;
	GCond changed;
	bool over;
};

static Policysession__CheckPolicyResponse *be_silent(const Policysession__CheckPolicyRequest *m, void *data,
						     GError **error)
{
	struct silence *s = data;
	cancel_set(s->rig->work.cancel, ERROR_CANCELED, NULL);
	g_mutex_lock(&s->mu);
	while (!s->over)
		g_cond_wait(&s->changed, &s->mu);
	g_mutex_unlock(&s->mu);
	return decide(POLICY__POLICY_ACTION__ALLOW);
}

/* A client that never answers delays its build only until it is cancelled. */
static void test_no_answer(void)
{
	struct rig r = {0};
	struct silence s = {.rig = &r};
	g_autoptr(GError) error = NULL;
	rig_init(&r, be_silent, &s);
	g_assert_false(run(&r, "local://x", NULL, NULL, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_mutex_lock(&s.mu);
	s.over = true;
	g_cond_broadcast(&s.changed);
	g_mutex_unlock(&s.mu);
	rig_clear(&r);
}

/* ---- several sources */

struct meeting {
	GMutex mu;
	GCond changed;
	int here;
};

/* Answers when both sources have been sent. */
static Policysession__CheckPolicyResponse *meet(const Policysession__CheckPolicyRequest *m, void *data, GError **error)
{
	struct meeting *t = data;
	g_mutex_lock(&t->mu);
	t->here++;
	g_cond_broadcast(&t->changed);
	while (t->here < 2)
		g_cond_wait(&t->changed, &t->mu);
	g_mutex_unlock(&t->mu);
	bool bad = strcmp(m->source->source->identifier, "local://bad") == 0;
	return decide(bad ? POLICY__POLICY_ACTION__DENY : POLICY__POLICY_ACTION__ALLOW);
}

static void test_parallel(void)
{
	struct rig r = {0};
	struct meeting t = {0};
	g_autoptr(GError) error = NULL;
	rig_init(&r, meet, &t);
	struct llb_source s[20] = {0};
	for (size_t i = 0; i < G_N_ELEMENTS(s); i++)
		s[i].op = op_new("local://good");
	g_assert_true(source_check_run_all(&r.check, s, G_N_ELEMENTS(s), &r.work, &error));
	g_assert_cmpint(t.here, ==, G_N_ELEMENTS(s));
	guard_free(s[7].op);
	s[7].op = op_new("local://bad");
	g_assert_false(source_check_run_all(&r.check, s, G_N_ELEMENTS(s), &r.work, &error));
	g_assert_cmpstr(error->message, ==, "source \"local://bad\" not allowed by policy: action DENY");
	for (size_t i = 0; i < G_N_ELEMENTS(s); i++)
		guard_free(s[i].op);
	rig_clear(&r);
}

static void test_no_session(void)
{
	struct rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_init(&r, by_name, NULL);
	r.request.policy_session = "";
	g_assert_true(run(&r, "docker-image://denied", NULL, NULL, &error));
	g_assert_no_error(error);
	rig_clear(&r);
}

/* ---- images of the Dockerfile frontend */

static Policysession__CheckPolicyResponse *judge_frontend(const Policysession__CheckPolicyRequest *m, void *data,
							  GError **error)
{
	static const struct {
		const char *image;
		Policy__PolicyAction action;
		const char *to;
	} answers[] = {
		{"docker/dockerfile:1", POLICY__POLICY_ACTION__ALLOW, NULL},
		{"docker/dockerfile:1.4", POLICY__POLICY_ACTION__DENY, NULL},
		{"docker/dockerfile:1.5", POLICY__POLICY_ACTION__CONVERT,
		 "docker-image://docker.io/docker/dockerfile:1"},
		{"docker/dockerfile:1.6", POLICY__POLICY_ACTION__CONVERT, "docker-image://example.com/fe:1"},
		{"docker/dockerfile:1.7", POLICY__POLICY_ACTION__CONVERT, "local://x"},
		{"docker/dockerfile:1.8", POLICY__POLICY_ACTION__CONVERT,
		 "docker-image://docker.io/docker/dockerfile:1.9-labs"},
		{"docker/dockerfile:1.9-labs", POLICY__POLICY_ACTION__ALLOW, NULL},
	};
	const char *name = m->source->source->identifier;
	g_ptr_array_add(data, g_strdup(name));
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		if (!g_str_has_suffix(name, answers[i].image))
			continue;
		Policysession__CheckPolicyResponse *reply = decide(answers[i].action);
		if (answers[i].to)
			reply->decision->update = op_new(answers[i].to);
		return reply;
	}
	error_set(error, ERROR_UNKNOWN, "no idea of %s", name);
	return NULL;
}

static void test_frontends(void)
{
	static const struct {
		const char *image;
		bool served;
		guint questions;
	} cases[] = {
		{"docker/dockerfile:1", true, 1},        {"docker/dockerfile:1.4", false, 1},
		{"docker/dockerfile:1.5", true, 2}, /* the second one about what it became */
		{"docker/dockerfile:1.6", false, 2},     {"docker/dockerfile:1.7", false, 2},
		{"docker/dockerfile:1.8", false, 2},                                      /* another channel */
		{"docker/dockerfile:1.9-labs", true, 1}, {"docker/dockerfile", false, 1}, /* the client fails */
		{"example.com/fe:1", false, 0},                                           /* not replaced */
	};
	static const char *const repositories[] = {"docker.io/docker/dockerfile", NULL};
	g_autoptr(GPtrArray) asked = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	struct rig r = {0};
	rig_init(&r, judge_frontend, asked);
	builder *b = builder_new(&(struct builder_options){
		.workers = builder_get_options(r.builder)->workers,
		.n_workers = 1,
		.dockerfile_enabled = true,
		.dockerfile_repositories = repositories,
	});
	r.build.builder = b;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_ptr_array_set_size(asked, 0);
		g_assert_true(build_serves_image(&r.build, cases[i].image, options, &r.work) == cases[i].served);
		g_assert_cmpuint(asked->len, ==, cases[i].questions);
	}
	builder_free(b);
	rig_clear(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/policy-session/decisions", test_decisions);
	g_test_add_func("/policy-session/conversions", test_conversions);
	g_test_add_func("/policy-session/metadata", test_metadata);
	g_test_add_func("/policy-session/two-answers", test_two_answers);
	g_test_add_func("/policy-session/no-answer", test_no_answer);
	g_test_add_func("/policy-session/parallel", test_parallel);
	g_test_add_func("/policy-session/no-session", test_no_session);
	g_test_add_func("/policy-session/frontends", test_frontends);
	return g_test_run();
}
