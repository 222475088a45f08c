/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * rseq_x86_64.h: append, switch and reset, each one restartable sequence (rseq(2); glibc >= 2.35 registers it).
 *
 * The kernel restarts a thread that was preempted, migrated or signalled between the labels 1 and 2 at label
 * 4. So whatever runs from the first compare to the last store ran on one CPU, alone: no other thread of this
 * process, and no process that shares the ring after fork, has run on this CPU in between.
 *
 * Why that is enough:
 *  - the compares say: this CPU's ring, in the epoch and at the position that were loaded before the clock was
 *    read. So what was computed from them holds (and what else was loaded of the ring since stood with them), and
 *    no record with a later time has come before this one.
 *  - an abort after some stores leaves bytes above position (append), a raised claim and a completed old
 *    header (switch; both are what the next switch from the same state stores again), or no position with an
 *    old epoch (reset; writers of either trace see which one it was on the way to). Readers cope with each: see
 *    weir_ring.h.
 *  - position is the last store and one word: the record exists or it does not, whenever the thread dies.
 *  - x86 keeps stores in order, which gives switch:A, append:B, reset:C and reset:G.
 *
 * A thread that is not registered has cpu_id < 0, fails the first compare and aborts: its caller then takes the
 * locked ring. The sections stand in functions of libweir, which is never unloaded (-z nodelete): rseq_cs may
 * point to them for ever.
 */
#ifndef WEIR_RSEQ_X86_64_H
#define WEIR_RSEQ_X86_64_H

#include <stddef.h>
#include <sys/rseq.h>
#include "weir_ring.h"

#define WEIR_HAVE_RSEQ 1

/* Offset of this thread's struct rseq from the thread pointer, %fs. */
static inline ptrdiff_t weir_rseq_offset(void)
{
	return __rseq_offset;
}

static inline u32 weir_rseq_load(ptrdiff_t rseq, size_t field)
{
	u32 value;

	__asm__ __volatile__("movl %%fs:(%1), %0" : "=r"(value) : "r"(rseq + (ptrdiff_t)field));
	return value;
}

/* An index at any time; the CPU that the thread was on a moment ago if it is registered. */
static inline u32 weir_rseq_cpu(ptrdiff_t rseq)
{
	u32 value;

	__asm__ __volatile__("movl %%fs:%c[at](%[rseq]), %[value]"
			     : [value] "=r"(value)
			     : [rseq] "r"(rseq), [at] "i"(offsetof(struct rseq, cpu_id_start)));
	return value;
}

static inline bool weir_rseq_registered(ptrdiff_t rseq)
{
	return (s32)weir_rseq_load(rseq, offsetof(struct rseq, cpu_id)) >= 0;
}

/* clang-format off */
#define WEIR_RSEQ_BEGIN                                                                                  \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                             \
	".balign 32\n"                                                                                   \
	"3:\n\t"                                                                                         \
	".long 0, 0\n\t"                                                                                 \
	".quad 1f, 2f - 1f, 4f\n\t"                                                                      \
	".popsection\n\t"                                                                                \
	"leaq 3b(%%rip), %%rax\n\t"                                                                      \
	"movq %%rax, %%fs:%c[rseq_cs](%[rseq])\n"                                                             \
	"1:\n\t"                                                                                         \
	"cmpl %[cpu], %%fs:%c[cpu_id](%[rseq])\n\t"                                                           \
	"jne 4f\n\t"

#define WEIR_RSEQ_END                                                                                    \
	"2:\n\t"                                                                                         \
	".pushsection __rseq_failure, \"ax\"\n\t"                                                        \
	".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1: the signature is never executed */                          \
	".long 0x53053053\n"                                                                             \
	"4:\n\t"                                                                                         \
	"jmp %l[abort]\n\t"                                                                              \
	".popsection\n\t"

#define WEIR_RSEQ_INPUTS(self, number)                                                                   \
	[rseq] "r"(self), [cpu] "r"(number), [rseq_cs] "i"(offsetof(struct rseq, rseq_cs)),              \
	[cpu_id] "i"(offsetof(struct rseq, cpu_id))

/*
 * Stores `word`, then `len` bytes of `body` (a multiple of 8, may be 0) at `dst`, then position = next, if
 * this is CPU `cpu` and epoch and position are as given. Nonzero: nothing was recorded.
 */
static inline __attribute__((always_inline)) int
weir_rseq_append(ptrdiff_t rseq, u32 cpu, struct weir_ring *ring, u64 epoch, u64 position, u64 next, char *dst,
		 u64 word, const char *body, size_t len)
{
	__asm__ __volatile__ goto(
		WEIR_RSEQ_BEGIN
		"cmpq %[epoch], %c[o_epoch](%[ring])\n\t"
		"jne %l[abort]\n\t"
		"cmpq %[old], %c[o_position](%[ring])\n\t"
		"jne %l[abort]\n\t"
		"movq %[word], (%[dst])\n\t"
		"movq %[len], %%rax\n\t"
		"testb $8, %%al\n\t"
		"jz 5f\n\t"
		"movq (%[body]), %%rcx\n\t"
		"movq %%rcx, 8(%[dst])\n"
		"5:\n\t"
		"subq $16, %%rax\n\t"
		"jb 7f\n"
		"6:\n\t"
		"movups (%[body], %%rax), %%xmm0\n\t"
		"movups %%xmm0, 8(%[dst], %%rax)\n\t"
		"subq $16, %%rax\n\t"
		"jae 6b\n"
		"7:\n\t"
		"movq %[next], %c[o_position](%[ring])\n" /* append:B */
		WEIR_RSEQ_END
		:
		: WEIR_RSEQ_INPUTS(rseq, cpu), [ring] "r"(ring), [epoch] "r"(epoch), [old] "r"(position),
		  [next] "r"(next), [dst] "r"(dst), [word] "r"(word), [body] "r"(body), [len] "rm"(len),
		  [o_epoch] "i"(offsetof(struct weir_ring, epoch)),
		  [o_position] "i"(offsetof(struct weir_ring, position))
		: "memory", "cc", "rax", "rcx", "xmm0"
		: abort);
	return 0;
abort:
	return -1;
}

/* What a switch stores, in this order. */
struct weir_rseq_switch {
	u64 claim;
	u64 *old_end, old_end_value; /* the old packet's header; a scratch word for the first packet */
	u64 *old_content, old_content_value;
	u64 *old_size, old_size_value;
	char *dst;		     /* the new packet: header, record's word, the record's body */
	const u64 *header;	     /* WEIR_PACKET_FIRST bytes */
	u64 word;
	const char *body;
	u64 len; /* of the body, a multiple of 8 */
	u64 begin;
	u64 next;
};

static inline int weir_rseq_do_switch(ptrdiff_t rseq, u32 cpu, struct weir_ring *ring, u64 epoch, u64 position,
				      const struct weir_rseq_switch *sw)
{
	__asm__ __volatile__ goto(
		WEIR_RSEQ_BEGIN
		"cmpq %[epoch], %c[o_epoch](%[ring])\n\t"
		"jne %l[abort]\n\t"
		"cmpq %[old], %c[o_position](%[ring])\n\t"
		"jne %l[abort]\n\t"
		"movq %c[s_claim](%[sw]), %%rcx\n\t"
		"movq %%rcx, %c[o_claim](%[ring])\n\t" /* switch:A */
		"movq %c[s_old_end](%[sw]), %%rax\n\t"
		"movq 8+%c[s_old_end](%[sw]), %%rcx\n\t"
		"movq %%rcx, (%%rax)\n\t"
		"movq %c[s_old_content](%[sw]), %%rax\n\t"
		"movq 8+%c[s_old_content](%[sw]), %%rcx\n\t"
		"movq %%rcx, (%%rax)\n\t"
		"movq %c[s_old_size](%[sw]), %%rax\n\t"
		"movq 8+%c[s_old_size](%[sw]), %%rcx\n\t"
		"movq %%rcx, (%%rax)\n\t"
		"movq %c[s_dst](%[sw]), %%rdi\n\t"
		"movq %c[s_header](%[sw]), %%rsi\n\t"
		"xorl %%eax, %%eax\n"
		"5:\n\t"
		"movq (%%rsi, %%rax), %%rcx\n\t"
		"movq %%rcx, (%%rdi, %%rax)\n\t"
		"addq $8, %%rax\n\t"
		"cmpq %[first], %%rax\n\t"
		"jb 5b\n\t"
		"addq %%rax, %%rdi\n\t"
		"movq %c[s_word](%[sw]), %%rcx\n\t"
		"movq %%rcx, (%%rdi)\n\t"
		"movq %c[s_body](%[sw]), %%rsi\n\t"
		"xorl %%eax, %%eax\n\t"
		"jmp 7f\n"
		"6:\n\t"
		"movq (%%rsi, %%rax), %%rcx\n\t"
		"movq %%rcx, 8(%%rdi, %%rax)\n\t"
		"addq $8, %%rax\n"
		"7:\n\t"
		"cmpq %c[s_len](%[sw]), %%rax\n\t"
		"jb 6b\n\t"
		"movq %c[s_begin](%[sw]), %%rcx\n\t"
		"movq %%rcx, %c[o_begin](%[ring])\n\t"
		"movq %c[s_next](%[sw]), %%rcx\n\t"
		"movq %%rcx, %c[o_position](%[ring])\n" /* append:B */
		WEIR_RSEQ_END
		:
		: WEIR_RSEQ_INPUTS(rseq, cpu), [ring] "r"(ring), [epoch] "r"(epoch), [old] "r"(position),
		  [sw] "r"(sw), [first] "i"(WEIR_PACKET_FIRST),
		  [o_epoch] "i"(offsetof(struct weir_ring, epoch)),
		  [o_position] "i"(offsetof(struct weir_ring, position)),
		  [o_claim] "i"(offsetof(struct weir_ring, claim)),
		  [o_begin] "i"(offsetof(struct weir_ring, begin)),
		  [s_claim] "i"(offsetof(struct weir_rseq_switch, claim)),
		  [s_old_end] "i"(offsetof(struct weir_rseq_switch, old_end)),
		  [s_old_content] "i"(offsetof(struct weir_rseq_switch, old_content)),
		  [s_old_size] "i"(offsetof(struct weir_rseq_switch, old_size)),
		  [s_dst] "i"(offsetof(struct weir_rseq_switch, dst)),
		  [s_header] "i"(offsetof(struct weir_rseq_switch, header)),
		  [s_word] "i"(offsetof(struct weir_rseq_switch, word)),
		  [s_body] "i"(offsetof(struct weir_rseq_switch, body)),
		  [s_len] "i"(offsetof(struct weir_rseq_switch, len)),
		  [s_begin] "i"(offsetof(struct weir_rseq_switch, begin)),
		  [s_next] "i"(offsetof(struct weir_rseq_switch, next))
		: "memory", "cc", "rax", "rcx", "rsi", "rdi"
		: abort);
	return 0;
abort:
	return -1;
}

/* The ring goes to a newer trace: no position, claim and begin 0, the epoch last. */
static inline int weir_rseq_reset(ptrdiff_t rseq, u32 cpu, struct weir_ring *ring, u64 old, u64 epoch)
{
	__asm__ __volatile__ goto(
		WEIR_RSEQ_BEGIN
		"cmpq %[old], %c[o_epoch](%[ring])\n\t"
		"jne %l[abort]\n\t"
		"movq %[empty], %c[o_position](%[ring])\n\t"
		"movq $0, %c[o_claim](%[ring])\n\t"
		"movq $0, %c[o_begin](%[ring])\n\t"
		"movq %[epoch], %c[o_epoch](%[ring])\n" /* reset:C */
		WEIR_RSEQ_END
		:
		: WEIR_RSEQ_INPUTS(rseq, cpu), [ring] "r"(ring), [old] "r"(old), [epoch] "r"(epoch),
		  [empty] "r"(weir_ring_empty(epoch)), [o_epoch] "i"(offsetof(struct weir_ring, epoch)),
		  [o_position] "i"(offsetof(struct weir_ring, position)),
		  [o_claim] "i"(offsetof(struct weir_ring, claim)),
		  [o_begin] "i"(offsetof(struct weir_ring, begin))
		: "memory", "cc", "rax"
		: abort);
	return 0;
abort:
	return -1;
}
/* clang-format on */

#endif /* WEIR_RSEQ_X86_64_H */
