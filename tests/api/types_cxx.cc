// SPDX-License-Identifier: GPL-2.0-only
// The same in C++, and sites where C++ puts functions: templates, inline functions, members, lambdas; in two
// files, which share the inline ones.
#include <stdio.h>
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

#if __cplusplus >= 201703L
#define MAY_THROW_NOT noexcept
#else
#define MAY_THROW_NOT
#endif
static int no_throw(int value) MAY_THROW_NOT
{
	return value;
}

// Pointers to functions of every kind are addresses.
static void functions()
{
	weir_trace(api, functions, printf, no_throw, other);
}

int main()
{
	request req = { 7, "name", BLUE };
	char path[] = "/index.html";

	trace_types(&req, path);
	functions();
	before_main.run();
	twice(1);
	twice("text");
	plain(2);
	return other(3);
}
