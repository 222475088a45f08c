// SPDX-License-Identifier: GPL-2.0-only
// The same in C++, and sites where C++ puts functions: templates, inline functions, members, lambdas; in two
// files, which share the inline ones.
#include "types.h"
#include "inline.h"

int other(int value);

struct server {
	int id = 3;
	void run()
	{
		weir_trace(api, member, this->id, id);
		auto lambda = [this] { weir_trace(api, lambda, id); };
		lambda();
	}
};

static server before_main = [] {
	weir_trace(api, initialiser);
	return server();
}();

int main()
{
	request req = { 7, "name", BLUE };
	char path[] = "/index.html";

	trace_types(&req, path);
	before_main.run();
	twice(1);
	twice("text");
	plain(2);
	return other(3);
}
