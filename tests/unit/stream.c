// SPDX-License-Identifier: GPL-2.0-only
/* cpuN of a ring that turned over between look-up and open: as long as was promised, and a stream. */
#include "daemon.h"
#include "../../fs/tree_i.h"

#define TEST_SUBBUF 4096u
#define TEST_EVENTS ((TEST_SUBBUF - WEIR_PACKET_FIRST) / 16) /* of a packet */

static struct test_program program;

/* Every byte belongs to a packet, times and losses never go back; returns the number of packets with events. */
static unsigned int test_read(const u8 *data, size_t size, u64 lost)
{
	u64 time = 0, discarded = 0, seq = 0, len, content;
	struct weir_packet packet;
	unsigned int full = 0;
	size_t at;

	for (at = 0; at < size; at += len) {
		assert_true(size - at >= WEIR_PACKET_FIRST);
		memcpy(&packet, data + at, sizeof(packet));
		len = packet.packet_size / 8;
		content = packet.content_size / 8;
		assert_int_equal(packet.magic, WEIR_CTF_MAGIC);
		assert_true(len >= WEIR_PACKET_FIRST && len <= size - at && content <= len);
		assert_true(packet.timestamp_begin >= time && packet.timestamp_end >= packet.timestamp_begin);
		assert_true(packet.events_discarded >= discarded && packet.events_discarded <= lost);
		assert_true(!at || packet.packet_seq_num == seq + 1);
		time = packet.timestamp_end;
		discarded = packet.events_discarded;
		seq = packet.packet_seq_num;
		full += content > WEIR_PACKET_FIRST;
	}
	assert_int_equal(at, size);
	assert_int_equal(discarded, lost);
	return full;
}

static void test_turned(struct weir_trace *trace, struct weir_source *source, unsigned int events, bool lost)
{
	struct weir_place place = { .trace = trace, .source = source };
	struct weir_state *state = &place.state;
	int fd = memfd_create("weir-test", MFD_CLOEXEC);
	u8 data[8 * TEST_SUBBUF];
	unsigned int full;

	assert_int_equal(weir_trace_clear(trace), 0);
	test_emit(&program, trace->slot, 0, trace->epoch, 0, events);
	if (lost)
		weir_ring_lose(test_ring(&program, trace->slot, 0), trace->epoch);
	assert_int_equal(source->backend->sample(source, trace->slot, 0, trace->epoch, &state->ring), 0);
	state->count = 1;
	state->latest = weir_clock_now();
	assert_int_equal(weir_state_fix(state), 0);
	test_emit(&program, trace->slot, 0, trace->epoch, events, 9 * TEST_EVENTS + 7);

	assert_int_equal(ftruncate(fd, (off_t)state->size), 0);
	assert_int_equal(weir_stream_fill(&place, fd), 0);
	assert_true(state->size <= sizeof(data));
	assert_int_equal(pread(fd, data, sizeof(data), 0), (ssize_t)state->size);
	full = test_read(data, state->size, lost);
	if (state->size >= 2 * TEST_SUBBUF)
		assert_true(full > 0);
	close(fd);
}

/* Wherever the last record ended, in the first packet and in the third one, with losses and without. */
static void test_every_end(void **state)
{
	struct weir_trace *trace = test_trace("t", 0, true);
	struct weir_source *source;
	unsigned int events;
	const char *why;

	(void)state;
	assert_int_equal(weir_trace_set_geometry(trace, 12 | 2 << 5, &why), 0);
	assert_int_equal(weir_trace_set_enabled(trace, true), 0);
	test_program_make(&program);
	test_attach(&program, "turns");
	source = test_find("turns", getpid(), "");
	assert_non_null(source);
	assert_int_equal(source->backend->schemas(source), 1);
	for (events = 1; events <= TEST_EVENTS; events++) {
		test_turned(trace, source, events, false);
		test_turned(trace, source, events, true);
		test_turned(trace, source, 2 * TEST_EVENTS + events, true);
	}
	weir_source_put(source);
	test_program_free(&program);
	weir_trace_put(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_end, test_start, test_stop),
	};

	urcu_memb_register_thread();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
