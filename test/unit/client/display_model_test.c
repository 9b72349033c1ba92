/* SPDX-License-Identifier: Apache-2.0 */
#include "client/display_model.h"

static void test_output(void)
{
	static const struct {
		const char *line, *shown;
	} rows[] = {
		{"plain \ttext", "plain \ttext"},
		{"\x1b[31mred\x1b[0m end", "\x1b[31mred\x1b[0m end\x1b[0m"},
		{"\x1b[1;38:5:9mbold", "\x1b[1;38:5:9mbold\x1b[0m"},
		{"\x1b[2J\x1b[1;1Hgone", "\\u001b[2J\\u001b[1;1Hgone"},
		{"\x1b]0;title\x07", "\\u001b]0;title\\u0007"},
		{"\x1b]52;c;cm0gLXJmIC8=\x1b\\", "\\u001b]52;c;cm0gLXJmIC8=\\u001b\\"},
		{"\x1b[31", "\\u001b[31"},
		{"\x1b[?25l", "\\u001b[?25l"},
		{"50%\r100%\r", "50%\n100%"},
		{"crlf\r", "crlf"},
		{"#1 DONE\b\b\b\b", "#1 DONE\\u0008\\u0008\\u0008\\u0008"},
		{"\xc2\x9b"
		 "31m",
		 "\\u009b31m"},
		{"\xe2\x80\xaeright", "\\u202eright"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *shown = model_safe_output(rows[i].line);
		g_assert_cmpstr(shown, ==, rows[i].shown);
	}
}

/* Messages keep line breaks but lose colours. */
static void test_lines(void)
{
	g_autofree char *shown = model_safe_lines("one\r\n\ttwo \x1b[31mred\n");
	g_assert_cmpstr(shown, ==, "one\n\ttwo \\u001b[31mred\n");
}

/* Bytes of length 0 have no address. */
static void test_empty_bytes(void)
{
	Control__Vertex vertex = CONTROL__VERTEX__INIT, *vertices[] = {&vertex};
	Control__VertexWarning warning = CONTROL__VERTEX_WARNING__INIT, *warnings[] = {&warning};
	Control__StatusResponse message = CONTROL__STATUS_RESPONSE__INIT;
	vertex.digest = warning.vertex = (char *)"sha256:0";
	message.vertexes = vertices;
	message.warnings = warnings;
	message.n_vertexes = message.n_warnings = 1;
	struct model m;
	model_init(&m);
	model_update(&m, &message);
	const struct model_vertex *v = m.vertices->pdata[0];
	g_assert_cmpuint(v->warnings->len, ==, 1);
	g_assert_cmpstr(v->warnings->pdata[0], ==, "");
	model_clear(&m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display_model/output", test_output);
	g_test_add_func("/display_model/lines", test_lines);
	g_test_add_func("/display_model/empty-bytes", test_empty_bytes);
	return g_test_run();
}
