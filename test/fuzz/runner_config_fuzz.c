/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a bundle: refused with a report, or converted to a plan that can be encoded and decoded. */
#include "config.h"
#include "fail.h"
#include <setjmp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jmp_buf refused;

static void note(const struct runner_report *report)
{
	if (report->text[0] == '\0')
		abort();
	longjmp(refused, 1);
}

static void check_plan(struct config *c)
{
	struct plan_codec codec;
	struct plan again;
	plan_codec_init_write(&codec, NULL, 0);
	if (plan_encode(&codec, &c->plan) != 0)
		return; /* too large for a message */
	size_t n = codec.used, n_arena = plan_arena_size(n);
	void *bytes = json_room(n, 1), *arena = json_room(n_arena, 1);
	plan_codec_init_write(&codec, bytes, n);
	if (plan_encode(&codec, &c->plan) != 0 || plan_decode(bytes, n, arena, n_arena, c->n_sources, &again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static json_t *json;
	json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	if (json != NULL && json_is_object(json) && setjmp(refused) == 0) {
		fail_by(note);
		config_read(&c, "/bundle", json);
		check_plan(&c);
	}
	json_decref(json);
	json_release();
	return 0;
}
