/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/op_json.h"
#include "api/message_json.h"
#include "llb/definition.h"

static bool put_special(json_writer *w, const ProtobufCMessage *m);

static const struct message_json go_json = {.special = put_special}, proto_json = {.proto = true};

/* Writes {"inputs":[...],"Op":{"exec":{...}},"platform":{...},"constraints":{}}. */
static void put_op(json_writer *w, const Pb__Op *op)
{
	json_object_begin(w);
	message_json_put_field(w, &go_json, &op->base, 1);
	json_object_member_begin(w, "Op");
	if (op->op_case != PB__OP__OP__NOT_SET && op->exec)
		message_json_put_field(w, &go_json, &op->base, op->op_case);
	json_object_end(w);
	message_json_put_field(w, &go_json, &op->base, 10);
	message_json_put_field(w, &go_json, &op->base, 11);
	json_object_end(w);
}

/* Indices are always written; the Action of a symlink is empty, because upstream's marshaller does not support it. */
static void put_file_action(json_writer *w, const Pb__FileAction *a)
{
	json_object_begin(w);
	json_put_int_member(w, "input", a->input);
	json_put_int_member(w, "secondaryInput", a->secondaryinput);
	json_put_int_member(w, "output", a->output);
	json_object_member_begin(w, "Action");
	if (a->action_case != PB__FILE_ACTION__ACTION__NOT_SET && a->action_case != PB__FILE_ACTION__ACTION_SYMLINK &&
	    a->copy)
		message_json_put_field(w, &go_json, &a->base, a->action_case);
	json_object_end(w);
	json_object_end(w);
}

/* Id 0 is omitted: {"User":{}}. */
static void put_user(json_writer *w, const Pb__UserOpt *user)
{
	json_object_begin(w);
	json_object_member_begin(w, "User");
	if (user->user_case == PB__USER_OPT__USER_BY_NAME && user->byname) {
		json_key(w, "byName");
		message_json_put(w, &go_json, &user->byname->base);
	} else if (user->user_case == PB__USER_OPT__USER_BY_ID) {
		json_put_int_member_nonzero(w, "byId", user->byid);
	}
	json_object_end(w);
	json_object_end(w);
}

static bool put_special(json_writer *w, const ProtobufCMessage *m)
{
	const void *message = m;
	if (m->descriptor == &pb__op__descriptor)
		put_op(w, message);
	else if (m->descriptor == &pb__file_action__descriptor)
		put_file_action(w, message);
	else if (m->descriptor == &pb__user_opt__descriptor)
		put_user(w, message);
	else
		return false;
	return true;
}

void op_json_message(json_writer *w, const ProtobufCMessage *message)
{
	message_json_put(w, &go_json, message);
}

void op_protojson_message(json_writer *w, const ProtobufCMessage *message)
{
	message_json_put(w, &proto_json, message);
}

char *llb_op_json(const Pb__Op *op)
{
	json_writer *w = json_writer_new(0);
	op_json_message(w, &op->base);
	return json_writer_take(&w, NULL);
}
