/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * weir/kernel.h: events of the kernel, for modules that write their own.
 *
 *	#define DISK_DONE(F) F(u64, sector) F(u32, latency_us) F(str, disk)
 *	WEIR_KERNEL_EVENT(disk_done, "disk:done", DISK_DONE);
 *
 *	err = weir_kernel_register(&weir_event_disk_done);	in the module's init
 *	weir_kernel_trace(disk_done, sector, us, name);		anywhere
 *	weir_kernel_unregister(&weir_event_disk_done);		in its exit
 *
 * The event has the fields of the list, in its order, and appears in the directory `kernel` of each trace whose
 * rules want its name. Where no trace does, weir_kernel_trace() is one jump that is not taken, and its arguments
 * are not evaluated.
 *
 * Types: u8 u16 u32 u64 i8 i16 i32 i64 bool; ptr (shown in hexadecimal); str (NUL-terminated, at most
 * WEIR_KERNEL_STR_MAX bytes of it); comm (char[16] as in struct task_struct, shown as a string); bytes (struct
 * weir_kernel_bytes, at most WEIR_KERNEL_BYTES_MAX of them).
 *
 * Concurrency:
 *                             register, unregister       trace, write
 *   register, unregister      serialised                 register: not before it returned; unregister: always
 *   trace, write              "                          always: process, softirq, interrupt and NMI context, one
 *                                                        inside the other, preemptible or not, PREEMPT_RT as well
 *
 * Not from where RCU is not watching (the idle loop's inside, entry code), as is the rule for tracepoints.
 */
#ifndef WEIR_KERNEL_H
#define WEIR_KERNEL_H

#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif
#include <weir/abi.h>

struct weir_kernel_event {
	const char *name; /* provider:event */
	unsigned int nr_fields;
	const char *const *names;
	const u8 *types;
	u16 id; /* from here on by the module weir */
	u16 bit;
	bool registered;
	struct list_head list;
	struct static_key_false wanted;
};

#define WEIR_KERNEL_STR_MAX 255 /* without NUL */
#define WEIR_KERNEL_BYTES_MAX 256
#define WEIR_KERNEL_HEAD 16 /* room before the fields, and */
#define WEIR_KERNEL_TAIL 8  /* behind them, for weir_kernel_write() */

struct weir_kernel_bytes {
	const void *data;
	u16 len;
};

/* 0; -EINVAL names, types or their number; -ENOSPC too many events. Process context, may sleep. An event that was
 * registered before, with the same name and fields, has its old id again. */
int weir_kernel_register(struct weir_kernel_event *event);
/* Returns when nobody is inside weir_kernel_write() for it any more. Process context, may sleep. */
void weir_kernel_unregister(struct weir_kernel_event *event);

/*
 * Writes an event to every trace that wants it. `fields` are `len` bytes as the types say, packed; WEIR_KERNEL_HEAD
 * bytes before them and WEIR_KERNEL_TAIL behind them belong to this function while it runs, so they live on the
 * caller's stack or are nobody else's. The whole may be larger than a page. What cannot be recorded is counted as
 * lost.
 */
void weir_kernel_write(const struct weir_kernel_event *event, void *fields, size_t len);

/* ---- the macros' insides ----------------------------------------------------------------------*/

enum {
	weir_kernel_type_u8 = WEIR_TYPE_U8,
	weir_kernel_type_u16 = WEIR_TYPE_U16,
	weir_kernel_type_u32 = WEIR_TYPE_U32,
	weir_kernel_type_u64 = WEIR_TYPE_U64,
	weir_kernel_type_i8 = WEIR_TYPE_I8,
	weir_kernel_type_i16 = WEIR_TYPE_I16,
	weir_kernel_type_i32 = WEIR_TYPE_I32,
	weir_kernel_type_i64 = WEIR_TYPE_I64,
	weir_kernel_type_bool = WEIR_TYPE_BOOL,
	weir_kernel_type_ptr = WEIR_TYPE_PTR,
	weir_kernel_type_str = WEIR_TYPE_STR,
	weir_kernel_type_comm = WEIR_TYPE_STR,
	weir_kernel_type_bytes = WEIR_TYPE_BYTES,

	weir_kernel_size_u8 = 1,
	weir_kernel_size_u16 = 2,
	weir_kernel_size_u32 = 4,
	weir_kernel_size_u64 = 8,
	weir_kernel_size_i8 = 1,
	weir_kernel_size_i16 = 2,
	weir_kernel_size_i32 = 4,
	weir_kernel_size_i64 = 8,
	weir_kernel_size_bool = 1,
	weir_kernel_size_ptr = 8,
	weir_kernel_size_str = WEIR_KERNEL_STR_MAX + 1,
	weir_kernel_size_comm = 16,
	weir_kernel_size_bytes = 2 + WEIR_KERNEL_BYTES_MAX,
};

typedef u8 weir_kernel_u8;
typedef u16 weir_kernel_u16;
typedef u32 weir_kernel_u32;
typedef u64 weir_kernel_u64;
typedef s8 weir_kernel_i8;
typedef s16 weir_kernel_i16;
typedef s32 weir_kernel_i32;
typedef s64 weir_kernel_i64;
typedef bool weir_kernel_bool;
typedef const void *weir_kernel_ptr;
typedef const char *weir_kernel_str;
typedef const char *weir_kernel_comm;
typedef struct weir_kernel_bytes weir_kernel_bytes;

#define WEIR_KERNEL_PUT(type)                                                                           \
	static __always_inline u8 *weir_kernel_put_##type(u8 *p, weir_kernel_##type value)              \
	{                                                                                               \
		put_unaligned(value, (weir_kernel_##type *)p);                                          \
		return p + sizeof(value);                                                               \
	}
WEIR_KERNEL_PUT(u8)
WEIR_KERNEL_PUT(u16)
WEIR_KERNEL_PUT(u32)
WEIR_KERNEL_PUT(u64)
WEIR_KERNEL_PUT(i8)
WEIR_KERNEL_PUT(i16)
WEIR_KERNEL_PUT(i32)
WEIR_KERNEL_PUT(i64)
WEIR_KERNEL_PUT(bool)
WEIR_KERNEL_PUT(ptr)
#undef WEIR_KERNEL_PUT

/* The length is taken from the copy: the string may change meanwhile. */
static __always_inline u8 *weir_kernel_put_str(u8 *p, const char *value)
{
	size_t len = strnlen(value, WEIR_KERNEL_STR_MAX);

	memcpy(p, value, len);
	p[len] = 0;
	return p + strnlen((const char *)p, len) + 1;
}

/* A word whose lowest bit that is set is in the first of the bytes that are 0. */
static __always_inline u64 weir_kernel_zeros(u64 x)
{
	return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
}

/* Two words are copied, the next field overwrites what stands behind the NUL. The 16th byte is one in any case. */
static __always_inline u8 *weir_kernel_put_comm(u8 *p, const char *value)
{
	u64 low = get_unaligned_le64(value), high = get_unaligned_le64(value + 8) & ~0ull >> 8, zeros;

	put_unaligned_le64(low, p);
	put_unaligned_le64(high, p + 8);
	zeros = weir_kernel_zeros(low);
	if (zeros)
		return p + __builtin_ctzll(zeros) / 8 + 1;
	return p + 8 + __builtin_ctzll(weir_kernel_zeros(high)) / 8 + 1;
}

static __always_inline u8 *weir_kernel_put_bytes(u8 *p, struct weir_kernel_bytes value)
{
	u16 len = min_t(u16, value.len, WEIR_KERNEL_BYTES_MAX);

	put_unaligned_le16(len, p);
	memcpy(p + 2, value.data, len);
	return p + 2 + len;
}

/* Parts of lists and of bodies, as __field() of TRACE_EVENT is: checkpatch would have them in parentheses. */
#define WEIR_KERNEL_NAME(type, field) #field,
#define WEIR_KERNEL_TYPE(type, field) weir_kernel_type_##type,
#define WEIR_KERNEL_SIZE(type, field) +weir_kernel_size_##type
#define WEIR_KERNEL_ARGUMENT(type, field) , weir_kernel_##type field
#define WEIR_KERNEL_FIELD(type, field) weir_p = weir_kernel_put_##type(weir_p, field);

#define WEIR_KERNEL_PASS(type, field) , field

/*
 * Defines weir_event_ID, and two functions of (0, fields...) that write it without asking whether it is wanted:
 * weir_put_ID() inline, for a function that does nothing else, and weir_write_ID(), so that a function with an event
 * in it needs no more stack than it did.
 */
#define WEIR_KERNEL_EVENT(id_, name_, FIELDS)                                                           \
	static const char *const weir_names_##id_[] = { FIELDS(WEIR_KERNEL_NAME) NULL };                \
	static const u8 weir_types_##id_[] = { FIELDS(WEIR_KERNEL_TYPE) WEIR_TYPE_NONE };               \
	static struct weir_kernel_event weir_event_##id_ = {                                            \
		.name = name_,                                                                          \
		.nr_fields = sizeof(weir_types_##id_) - 1,                                              \
		.names = weir_names_##id_,                                                              \
		.types = weir_types_##id_,                                                              \
		.wanted = STATIC_KEY_FALSE_INIT,                                                        \
	};                                                                                              \
	static __always_inline void weir_put_##id_(int weir_none FIELDS(WEIR_KERNEL_ARGUMENT))          \
	{                                                                                               \
		struct {                                                                                \
			u8 head[WEIR_KERNEL_HEAD];                                                      \
			u8 fields[(0 FIELDS(WEIR_KERNEL_SIZE)) + WEIR_KERNEL_TAIL];                     \
		} weir_stage __aligned(8);                                                              \
		u8 *weir_p = weir_stage.fields;                                                         \
													\
		FIELDS(WEIR_KERNEL_FIELD)                                                               \
		weir_kernel_write(&weir_event_##id_, weir_stage.fields, weir_p - weir_stage.fields);    \
	}                                                                                               \
	static noinline __maybe_unused void weir_write_##id_(int weir_none FIELDS(WEIR_KERNEL_ARGUMENT)) \
	{                                                                                               \
		weir_put_##id_(0 FIELDS(WEIR_KERNEL_PASS));                                             \
	}                                                                                               \
	static_assert(sizeof(weir_types_##id_) - 1 <= WEIR_FIELDS_MAX)

#define weir_kernel_wanted(id_) static_branch_unlikely(&weir_event_##id_.wanted)

#define weir_kernel_trace(id_, ...)                                                                     \
	do {                                                                                            \
		if (weir_kernel_wanted(id_))                                                            \
			weir_write_##id_(0, ##__VA_ARGS__);                                             \
	} while (0)

#endif /* WEIR_KERNEL_H */
