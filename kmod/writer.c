// SPDX-License-Identifier: GPL-2.0-only
/*
 * writer: appends to the kernel's own rings, from any context.
 *
 * Writers of one CPU nest: an interrupt or NMI comes between any two instructions, runs to its end, and goes away. So
 * a stack of them writes a ring, and only records below `position` have to be complete:
 *
 *   reserve   cmpxchg_local from the value that was loaded before the clock was read: records stand in the order
 *             of their times
 *   time      never goes back in a ring, whatever the clock does: ktime_get_mono_fast_ns() goes back by
 *             microseconds behind a reading in an NMI, where the clock source is the HPET
 *   write     the record, or before it the packet's header, to bytes that nobody else has
 *   publish   by the outermost alone, at its end: all that was reserved is written by then
 *
 * What user space does in one section (weir_ring.h) is spread over instructions here, therefore:
 *
 *   claim     is raised before the packet is reserved, and never lowered: whoever writes into it finds it raised
 *   header    who opens a packet writes what is known then, who opens the next one the three words of the end. They
 *             may nest the other way round, so neither touches the other's words
 *   wrap      a packet is not opened over the published position's, which the outer writers may still be busy
 *             with: the event is lost
 *
 * Memory orders are those of weir_ring.h; writers of one CPU need the compiler's only:
 *
 *   nest:D / publish:D   nest is raised before the first reserve, and lowered between the publication and the last
 *                        look at reserve
 *   hold:F               the limit is set before claim is looked at, and taken away behind what it is for: whoever
 *                        comes later finds it, whoever came before has raised claim
 */
#include <linux/export.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <weir/kernel.h>
#include "weir_kmod.h"
#ifdef CONFIG_X86
#include <asm/msr.h>
#endif

/* Words of the header that belong to who seals the packet. */
#define WEIR_SEAL_BEGIN offsetof(struct weir_packet, timestamp_end)
#define WEIR_SEAL_END offsetof(struct weir_packet, packet_seq_num)

static unsigned int weir_published_again;
module_param_named(published_again, weir_published_again, uint, 0444);
MODULE_PARM_DESC(published_again,
		 "about how often a writer was interrupted between publishing and leaving");

static __always_inline u64 weir_clock_now(const struct weir_clock *clock)
{
#ifdef CONFIG_X86
	if (likely(clock->type == WEIR_CLOCK_TSC))
		return mul_u64_u64_shr(rdtsc() - clock->base, clock->mult, 64);
#endif
	return ktime_get_mono_fast_ns();
}

/*
 * The time of what is to be reserved from a value of reserve that was loaded before. Whoever reserved up to there
 * raised writer->time first, and it is not lowered: the time is not before theirs.
 */
static __always_inline u64 weir_writer_time(struct weir_writer *writer,
					    const struct weir_clock *clock)
{
	u64 last, time;

	do {
		last = READ_ONCE(writer->time);
		time = weir_clock_now(clock);
		if (unlikely((s64)(time - last) < 0))
			time = last;
	} while (unlikely(cmpxchg_local(&writer->time, last, time) != last));
	return time;
}

/* ---- nesting --------------------------------------------------------------------------------------------*/

static __always_inline unsigned int weir_writer_enter(struct weir_writer *writer)
{
	unsigned int nest = writer->nest + 1;

	WRITE_ONCE(writer->nest, nest);
	barrier(); /* nest:D */
	return nest;
}

/* Who nests after the load of reserve leaves the publication to this one, until nest is 0: then it publishes itself.
 * In between lies a moment in which neither does, hence the second look. `lost`: there may be no record at all. */
static __always_inline void weir_writer_leave(struct weir_writer *writer, struct weir_ring *ring,
					      unsigned int nest, bool lost)
{
	u64 reserve;

	barrier();
	if (unlikely(nest > 1)) {
		WRITE_ONCE(writer->nest, nest - 1);
		return;
	}
	for (;;) {
		reserve = READ_ONCE(writer->reserve);
		if (!lost || reserve)
			smp_store_release(&ring->position, reserve); /* append:B */
		barrier();					     /* publish:D */
		WRITE_ONCE(writer->nest, 0);
		barrier(); /* publish:D */
		if (likely(READ_ONCE(writer->reserve) == reserve))
			return;
		WRITE_ONCE(writer->nest, 1);
		barrier(); /* nest:D */
		weir_published_again++;
	}
}

/* ---- a new packet -----------------------------------------------------------------------------------------*/

/* May a packet be opened whose end is `claim`? */
static bool weir_writer_room(const struct weir_buffer *buffer, u64 claim)
{
	u64 position = READ_ONCE(buffer->ring->position), hold = READ_ONCE(buffer->writer.hold);
	u64 size = weir_epoch_subbuf_size(buffer->epoch), open = 0;

	if (position && !(position & WEIR_RING_NOTHING))
		open = (position - 1) & ~(size - 1);
	return claim - open <= weir_epoch_ring_size(buffer->epoch) && (!hold || claim <= hold);
}

static void weir_writer_claim(struct weir_ring *ring, u64 claim)
{
	u64 old;

	do
		old = READ_ONCE(ring->claim);
	while (old < claim && cmpxchg_local(&ring->claim, old, claim) != old);
	smp_wmb(); /* switch:A */
}

static void weir_writer_packet(struct weir_buffer *buffer, u64 time,
			       const struct weir_ring_step *step)
{
	u64 mask = weir_epoch_ring_size(buffer->epoch) - 1;
	struct weir_relay *relay = &buffer->relay;
	const u8 *header = (const u8 *)&step->header;
	struct weir_packet *old;
	u8 *new;

	old = step->seal ? weir_relay_header(relay, &relay->own, step->old & mask) : NULL;
	if (old) {
		WRITE_ONCE(old->timestamp_end, time);
		WRITE_ONCE(old->content_size, step->content);
		WRITE_ONCE(old->packet_size, weir_epoch_subbuf_size(buffer->epoch) * 8);
	}
	new = weir_relay_header(relay, &relay->own, step->start & mask);
	if (new) {
		memcpy(new, header, WEIR_SEAL_BEGIN);
		memcpy(new + WEIR_SEAL_END, header + WEIR_SEAL_END,
		       sizeof(step->header) - WEIR_SEAL_END);
	}
	WRITE_ONCE(buffer->ring->begin, time);
	WRITE_ONCE(buffer->writer.begin, time);
}

/* One try to reserve what `step` says. -ENOSPC, -EAGAIN: somebody was faster. */
static int weir_writer_open(struct weir_buffer *buffer, u64 position, u64 time,
			    const struct weir_ring_step *step)
{
	if (!weir_writer_room(buffer, step->claim))
		return -ENOSPC;
	weir_writer_claim(buffer->ring, step->claim);
	if (cmpxchg_local(&buffer->writer.reserve, position, step->next) != position)
		return -EAGAIN;
	weir_writer_packet(buffer, time, step);
	return 0;
}

/* Reserves a record wherever it goes. Its start, and its time; 0: it is lost. */
static u64 weir_writer_reserve(struct weir_buffer *buffer, const struct weir_clock *clock,
			       size_t len, u64 *time)
{
	struct weir_writer *writer = &buffer->writer;
	struct weir_ring_state state = { .epoch = buffer->epoch };
	struct weir_ring_step step;
	int err;

	do {
		state.position = READ_ONCE(writer->reserve);
		state.begin = READ_ONCE(writer->begin);
		*time = weir_writer_time(writer, clock);
		switch (weir_ring_plan(buffer->ring, &state, buffer->epoch, buffer->cpu, *time, len,
				       &step)) {
		case WEIR_PLAN_APPEND:
			err = 0;
			if (cmpxchg_local(&writer->reserve, state.position, step.next) !=
			    state.position)
				err = -EAGAIN;
			break;
		case WEIR_PLAN_SWITCH:
			err = weir_writer_open(buffer, state.position, *time, &step);
			break;
		default:
			err = -ENOSPC;
		}
	} while (err == -EAGAIN);
	if (err) {
		weir_ring_lose(buffer->ring, buffer->epoch);
		return 0;
	}
	return step.next - len;
}

/**
 * weir_writer_switch() - seal the open packet of a kernel ring and open the next
 * @buffer: the ring
 * @clock: of its trace
 *
 * Context: on the ring's CPU, preemption off; any.
 * Return: 0; -ENODATA there is no record in the open packet; -ENOSPC discard mode and no room, or outer writers are in
 * the way.
 */
int weir_writer_switch(struct weir_buffer *buffer, const struct weir_clock *clock)
{
	struct weir_writer *writer = &buffer->writer;
	unsigned int nest = weir_writer_enter(writer);
	u64 mask = weir_epoch_subbuf_size(buffer->epoch) - 1;
	struct weir_ring_step step;
	u64 position, time;
	int err;

	do {
		position = READ_ONCE(writer->reserve);
		time = weir_writer_time(writer, clock);
		err = -ENODATA;
		if (!position || (position & mask) == WEIR_PACKET_HEADER)
			break;
		err = -ENOSPC;
		if (weir_ring_plan_packet(buffer->ring, position, buffer->epoch, buffer->cpu, time,
					  &step) == WEIR_PLAN_SWITCH)
			err = weir_writer_open(buffer, position, time, &step);
	} while (err == -EAGAIN);
	weir_writer_leave(writer, buffer->ring, nest, true);
	if (!err)
		weir_wake(buffer, nest > 1);
	return err;
}

/**
 * weir_writer_hold() - keep writers out of a whole packet for a while
 * @buffer: a kernel ring
 * @begin: the packet's offset; position is behind its end
 * @fn: called meanwhile: it may exchange the packet's frames, and nobody writes to the old ones any more
 * @arg: its argument
 *
 * Only an NMI can come in between. Its event that would open a packet over this one is lost, and counted.
 *
 * Context: on the ring's CPU, or anywhere while that is offline; interrupts off.
 * Return: 0; -ESTALE it is being overwritten: @fn was not called.
 */
int weir_writer_hold(struct weir_buffer *buffer, u64 begin, void (*fn)(void *arg), void *arg)
{
	u64 hold = begin + weir_epoch_ring_size(buffer->epoch);
	int err = -ESTALE;

	WRITE_ONCE(buffer->writer.hold, hold);
	barrier(); /* hold:F */
	if (READ_ONCE(buffer->ring->claim) <= hold) {
		fn(arg);
		err = 0;
	}
	barrier(); /* hold:F */
	WRITE_ONCE(buffer->writer.hold, 0);
	return err;
}

/* ---- a record --------------------------------------------------------------------------------------------
 *
 * The short way, inline, is that of nearly every record: it stays in the page of the last byte before it, hence in
 * the sub-buffer. All others go the long way. `record` has its header word still to come, `len` is exact, and
 * behind it are zeros.
 */

/* `len` is a multiple of 8. Two words at a time: records are short, and a call or a string instruction costs more. */
static __always_inline void weir_writer_copy(u64 *to, const u64 *from, size_t len)
{
	const u64 *end = from + len / 8;

	if (len & 8)
		*to++ = *from++;
	while (from != end) {
		u64 a = from[0], b = from[1];

		to[0] = a;
		to[1] = b;
		from += 2;
		to += 2;
	}
}

static noinline void weir_writer_store(struct weir_buffer *buffer, u64 start, const u64 *record,
				       size_t len)
{
	size_t offset = start & (weir_epoch_ring_size(buffer->epoch) - 1);

	/* all pages are there: cannot fail */
	weir_relay_write_reserved(&buffer->relay, offset, record, weir_align8(len));
}

/* The rest of an append that has found the record to leave its page. The record's first word holds its id. */
static noinline void weir_writer_append_long(struct weir_buffer *buffer,
					     const struct weir_clock *clock, u64 *record,
					     size_t len, unsigned int nest)
{
	struct weir_writer *writer = &buffer->writer;
	u64 start, time;

	if (!writer->mask)
		writer->mask = weir_epoch_ring_size(buffer->epoch) - 1;
	start = weir_writer_reserve(buffer, clock, len, &time);
	if (start) {
		*record |= time << WEIR_TIME_SHIFT;
		weir_writer_store(buffer, start, record, len);
	}
	weir_writer_leave(writer, buffer->ring, nest, true);
	/* the first one of a packet: that before is whole */
	if (start && (start & (weir_epoch_subbuf_size(buffer->epoch) - 1)) == WEIR_PACKET_FIRST)
		weir_wake(buffer, nest > 1);
}

static __always_inline void weir_writer_append(struct weir_buffer *buffer,
					       const struct weir_clock *clock, u16 id, u64 *record,
					       size_t len)
{
	struct weir_writer *writer = &buffer->writer;
	unsigned int nest = weir_writer_enter(writer);
	struct weir_relay_page *page;
	u64 old, start, time;

	do {
		old = READ_ONCE(writer->reserve);
		time = weir_writer_time(writer, clock);
		start = weir_align8(old);
		if (unlikely(!weir_ring_fits(PAGE_SIZE - 1, old, READ_ONCE(writer->begin), time,
					     len))) {
			*record = id;
			weir_writer_append_long(buffer, clock, record, len, nest);
			return;
		}
	} while (unlikely(cmpxchg_local(&writer->reserve, old, start + len) != old));
	*record = time << WEIR_TIME_SHIFT | id;
	page = weir_relay_hit(&buffer->relay, PAGE_SHIFT, start & writer->mask);
	if (likely(page))
		weir_writer_copy(page_address(READ_ONCE(page->page)) + (start & (PAGE_SIZE - 1)),
				 record, weir_align8(len));
	else
		weir_writer_store(buffer, start, record, len);
	weir_writer_leave(writer, buffer->ring, nest, false);
}

static __always_inline void weir_writer_slot(const struct weir_tracing *tracing, unsigned int n,
					     unsigned int cpu, u16 id, u8 *fields, size_t len)
{
	const struct weir_tracing_slot *slot = &tracing->slot[n];
	struct weir_buffer *buffer = slot->buffer[cpu];

	if (unlikely(!buffer)) {
		weir_ring_lose(slot->ring[cpu], slot->epoch);
		return;
	}
	if (buffer->epoch & WEIR_EPOCH_TID) {
		fields -= sizeof(u32);
		put_unaligned_le32(current->pid, fields);
		len += sizeof(u32);
	}
	weir_writer_append(buffer, &tracing->clock, id, (u64 *)(fields - sizeof(u64)),
			   len + sizeof(u64));
}

void notrace weir_kernel_write(const struct weir_kernel_event *event, void *fields, size_t len)
{
	const struct weir_tracing *tracing;
	unsigned int wanted;

	preempt_disable_notrace();
	tracing = rcu_dereference_raw_check(weir_tracing);
	put_unaligned(0ull, (u64 *)(fields + len));
	for (wanted = tracing->wanted[event->bit]; wanted; wanted &= wanted - 1)
		weir_writer_slot(tracing, __builtin_ctz(wanted), raw_smp_processor_id(), event->id,
				 fields, len);
	preempt_enable_notrace();
}
EXPORT_SYMBOL_GPL(weir_kernel_write);

void weir_tracing_index(struct weir_tracing *tracing)
{
	unsigned int n, bit;

	tracing->kernel = 0;
	memset(tracing->wanted, 0, sizeof(tracing->wanted));
	for (n = 0; n < WEIR_SLOTS; n++) {
		tracing->kernel |= tracing->slot[n].kernel;
		for (bit = 0; bit < ARRAY_SIZE(tracing->wanted); bit++)
			if (tracing->slot[n].kernel >> bit & 1)
				tracing->wanted[bit] |= 1u << n;
	}
}
