/* SPDX-License-Identifier: GPL-2.0-only */
#include <weir/trace.h>

template <class T> void twice(T value)
{
	weir_trace(api, templated, value);
}

inline void plain(int value)
{
	weir_trace(api, inlined, value);
}
