/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message_json.h"
#include "control.pb-c.h"
#include "ops.pb-c.h"

static void assert_json(const struct message_json *style, const ProtobufCMessage *m, const char *want)
{
	json_writer *w = json_writer_new(0);
	message_json_put(w, style, m);
	g_autofree char *json = json_writer_take(&w, NULL);
	g_assert_cmpstr(json, ==, want);
}

static const struct message_json plain = {0}, proto = {.proto = true};

static void test_scalars(void)
{
	Pb__Mount m = PB__MOUNT__INIT;
	assert_json(&plain, &m.base, "{}");
	m.input = -1;
	m.dest = (char *)"/<d>";
	m.readonly = true;
	m.mounttype = PB__MOUNT_TYPE__TMPFS;
	assert_json(&plain, &m.base, "{\"input\":-1,\"dest\":\"/\\u003cd\\u003e\",\"readonly\":true,\"mountType\":4}");
	assert_json(&proto, &m.base,
		    "{\"input\":\"-1\",\"dest\":\"/\\u003cd\\u003e\",\"readonly\":true,\"mountType\":\"TMPFS\"}");
	m.mounttype = (Pb__MountType)99; /* a newer peer's */
	m.readonly = false;
	assert_json(&proto, &m.base, "{\"input\":\"-1\",\"dest\":\"/\\u003cd\\u003e\",\"mountType\":99}");
}

static void test_lists(void)
{
	ProtobufCBinaryData ops[] = {{2, (uint8_t *)"op"}, {0, NULL}};
	Pb__Definition d = PB__DEFINITION__INIT;
	d.def = ops;
	d.n_def = 2;
	assert_json(&plain, &d.base, "{\"def\":[\"b3A=\",\"\"]}");
	int32_t codes[] = {0, -3};
	Pb__Meta meta = PB__META__INIT;
	meta.validexitcodes = codes;
	meta.n_validexitcodes = 2;
	assert_json(&plain, &meta.base, "{\"validExitCodes\":[0,-3]}");
	assert_json(&plain, NULL, "null");
}

/* Keys are sorted as texts; of equal ones the last counts. */
static void test_maps(void)
{
	Control__Descriptor d = CONTROL__DESCRIPTOR__INIT;
	d.size = 5;
	Control__BuildResultInfo__ResultsEntry two = CONTROL__BUILD_RESULT_INFO__RESULTS_ENTRY__INIT, ten = two,
					       twice = two;
	Control__BuildResultInfo__ResultsEntry *entries[] = {&two, &ten, &twice};
	Control__BuildResultInfo info = CONTROL__BUILD_RESULT_INFO__INIT;
	two.key = twice.key = 2;
	ten.key = 10;
	twice.value = &d;
	info.results = entries;
	info.n_results = 3;
	assert_json(&plain, &info.base, "{\"Results\":{\"10\":null,\"2\":{\"size\":5}}}");
}

static void test_oneof(void)
{
	Pb__UserOpt u = PB__USER_OPT__INIT;
	assert_json(&plain, &u.base, "{}");
	u.user_case = PB__USER_OPT__USER_BY_ID;
	assert_json(&plain, &u.base, "{\"byID\":0}"); /* set, though zero */
}

static bool put_special(json_writer *w, const ProtobufCMessage *m)
{
	if (m->descriptor != &pb__platform__descriptor)
		return false;
	json_put_string(w, "special");
	return true;
}

static void put_more(json_writer *w, const ProtobufCMessage *m)
{
	json_put_string_member(w, "more", m->descriptor->short_name);
}

static void test_hooks(void)
{
	static const struct message_json style = {.special = put_special, .more = put_more};
	Pb__Platform platform = PB__PLATFORM__INIT;
	Pb__Op op = PB__OP__INIT;
	op.platform = &platform;
	assert_json(&style, &op.base, "{\"platform\":\"special\",\"more\":\"Op\"}");
	g_assert_true(message_json_is_zero(&pb__platform__descriptor.fields[0], &platform.base));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/scalars", test_scalars);
	g_test_add_func("/lists", test_lists);
	g_test_add_func("/maps", test_maps);
	g_test_add_func("/oneof", test_oneof);
	g_test_add_func("/hooks", test_hooks);
	return g_test_run();
}
