// SPDX-License-Identifier: GPL-2.0-only
// A plug-in with a static object that traces until it is destroyed, which is after the sites' own objects.
#include <weir/trace.h>

struct late {
	int number = 0;
	~late();
};
late object;

static void event(int number)
{
	weir_trace(api, late, number);
}

late::~late()
{
	event(number + 100);
}

extern "C" void run(int number)
{
	object.number = number;
	event(number);
}
