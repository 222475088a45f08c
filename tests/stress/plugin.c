// SPDX-License-Identifier: GPL-2.0-only
/* plugin: a traced object that is loaded and unloaded all the time. The same source as C and as
 * C++. */
#include <weir/trace.h>

#ifdef __cplusplus
template <class T> static void trace_as(T writer, __u64 seq)
{
	weir_trace(plugin, templated, writer, seq);
}
extern "C" void plugin_event(unsigned int writer, __u64 seq);
#else
void plugin_event(unsigned int writer, __u64 seq);
#define trace_as(writer, seq) weir_trace(plugin, plain, writer, seq)
#endif

void plugin_event(unsigned int writer, __u64 seq)
{
	if (seq & 1)
		trace_as(writer, seq);
	else
		weir_trace_fields(plugin, seq, weir_u32(writer, writer), weir_u64(seq, seq));
}
