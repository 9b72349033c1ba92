/* SPDX-License-Identifier: Apache-2.0 */
/* Builds that a correct frontend does. */
#include "frontend.h"

void mode_wrap(void)
{
	return_ref(solve(frontend_request("dockerfile.v0", NULL, NULL)));
}

/* What the process was started with. */
static void mode_env(void)
{
	struct bytes text = {0};
	char line[4200], cwd[4096];
	struct stat st;
	for (char **e = environ; *e; e++) {
		put(&text, *e, strlen(*e));
		put(&text, "\n", 1);
	}
	int n = snprintf(line, sizeof line, "cwd %s\nuid %d\n", getcwd(cwd, sizeof cwd), (int)getuid());
	put(&text, line, (size_t)n);
	int found = stat("/run/config/buildkit/metadata/frontend.bin", &st);
	n = snprintf(line, sizeof line, "metadata %d %o\n", found == 0 && st.st_size > 0, found == 0 ? st.st_mode : 0);
	put(&text, line, (size_t)n);
	int fd = open("/written", O_WRONLY | O_CREAT, 0600);
	n = snprintf(line, sizeof line, "writable %d\ninterfaces %d\n", fd >= 0,
		     access("/sys/class/net/eth0", F_OK) == 0 || access("/proc/net/dev", F_OK) == 0);
	put(&text, line, (size_t)n);
	put(&text, "", 1);
	return_file((const char *)text.data);
}

/* Reads a file of the input "in", from which the client has sent a definition. */
static void mode_inputs(void)
{
	struct bytes reply = call("Inputs", (struct bytes){0});
	struct bytes entry = get(reply, 1);
	char *name = text_of(get(entry, 1));
	if (strcmp(name, "in") != 0)
		die("no input but \"%s\"", name);
	struct bytes definition = {0}, value = get(entry, 2);
	put(&definition, value.data, value.n);
	char *ref = solve(solve_request(definition));
	struct call *c = read_file(ref, "/hello");
	if (c->status != 0)
		die("ReadFile: %s", c->message);
	return_ref(ref);
}

/* Requests itself with the input "in". */
static void mode_pass_inputs(void)
{
	struct bytes request = frontend_request("gateway.v0", option("source"), "inputs"), entry = {0};
	put_text(&entry, 1, "in");
	put_message(&entry, 2, file_definition("/hello", "hello", 5));
	put_message(&request, 13, entry);
	return_ref(solve(request));
}

static void mode_ping(void)
{
	struct bytes reply = call("Ping", (struct bytes){0});
	struct bytes text = {0};
	for (unsigned i = 0; get_nth(reply, 1, i).data; i++) {
		struct bytes id = get(get_nth(reply, 1, i), 1);
		put(&text, id.data, id.n);
		put(&text, "\n", 1);
	}
	struct call *health = call_any("/grpc.health.v1.Health/Check", (struct bytes){0});
	put(&text, health->status == 0 ? "healthy\n" : "ill\n", health->status == 0 ? 8 : 4);
	put(&text, "", 1);
	return_file((const char *)text.data);
}

void mode_error(void)
{
	return_error(5, "the frontend says no");
}

/* Requests itself as a frontend. */
static void mode_nested(void)
{
	return_ref(solve(frontend_request("gateway.v0", option("source"), "wrap")));
}

/* A container that it does not release. */
static void mode_container(void)
{
	char *ref = solve(solve_request(file_definition("/x", "in a container", 14)));
	struct bytes request = {0}, mount = {0};
	put_text(&request, 1, "c1");
	put_text(&mount, 3, "/");
	put_text(&mount, 23, ref);
	put_message(&request, 2, mount);
	call("NewContainer", request);
	struct bytes read = {0};
	put_text(&read, 1, "c1");
	put_text(&read, 2, "/x");
	char *text = text_of(get(call("ReadFileContainer", read), 1));
	return_file(text);
}

static void mode_log(void)
{
	fputs("a line of the frontend\n", stderr);
	mode_wrap();
}

const struct mode builds[] = {
	{"wrap", mode_wrap, false},     {"env", mode_env, false},
	{"inputs", mode_inputs, false}, {"pass-inputs", mode_pass_inputs, false},
	{"ping", mode_ping, false},     {"error", mode_error, false},
	{"nested", mode_nested, false}, {"container", mode_container, false},
	{"log", mode_log, false},       {NULL, NULL, false},
};
