/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * weir: event sites.
 *
 *   weir_trace(http, request_done, id, path, status);
 *       The event http:request_done with fields named and typed after the arguments: integers of every width,
 *       float, double, bool, char * (a string), other pointers (shown in hexadecimal). At most 16.
 *
 *   weir_trace_fields(http, body, weir_str(method, m), weir_bytes(payload, p, n), weir_u32(port, ntohs(be)));
 *       The same with names and types given. weir_u8 .. weir_u64, weir_i8 .. weir_i64, weir_f32, weir_f64,
 *       weir_bool, weir_ptr, weir_str (name, value); weir_bytes, weir_text (name, pointer, length).
 *
 *   if (weir_enabled(http, body)) { ... }
 *       True while some trace records the event: a guard for costly arguments.
 *
 *   weir_switch();
 *       What this process has recorded so far, in all traces, becomes packets for who reads live streams.
 *
 * C11 and C++11 or later, GCC and Clang. Any context: signal handlers, constructors, forked and vforked
 * children; errno is kept. Arguments are evaluated once, and only while the event is recorded. A disabled site
 * costs a load, a compare and a branch that is not taken. Nothing here waits or allocates, or makes a system
 * call but for a thread's first event and when what is recorded has changed. An argument that is left by an exception or
 * longjmp() may keep one of the few places where strings of more than 500 bytes are staged.
 *
 * The header alone compiles and links. Sites are silent until libweir is in the process (linked or
 * LD_PRELOADed) when the object's constructor looks for it.
 */
#ifndef WEIR_TRACE_H
#define WEIR_TRACE_H

#include <weir/abi.h>
#include <dlfcn.h>
#include <string.h>

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

/* ---- what an object and libweir say to each other ---------------------------------------------*/

/* Of the structures below, which are compiled into programs. It is in the symbol's name, too: who was compiled
 * with another one finds nothing, and is silent. */
#define WEIR_CLIENT_VERSION 2u

#define WEIR_SITE_FIELDS 1u /* text is from weir_trace_fields: weir_type(name, ...) */
#define WEIR_SITE_GUARD 2u  /* weir_enabled: has no fields and no schema */
#define WEIR_SITE_LISTED 4u /* libweir's: is in its list */
#define WEIR_SITE_MUTE 8u   /* libweir's: has no schema, is never recorded */

struct weir_site {
	__u64 match;		    /* generation | mask of the slots that record it; libweir's */
	const void *slot;	    /* the one that records it, if it is one; libweir's */
	const char *text;	    /* "provider:event, field, ..." as in the source */
	const unsigned char *types; /* enum weir_type, a field each */
	struct weir_site *next;	    /* libweir's */
	__u16 nr_fields;
	__u16 flags;
	__u32 id; /* libweir's */
};

#define WEIR_STAGE_HEAD 12u /* room for the record's word and tid before the fields */
#define WEIR_STAGE_ROOM 512u /* bytes for strings and sequences before a larger stage is taken */

/* Where the next field is staged. */
struct weir_cursor {
	char *p;
	char *limit; /* of strings and sequences; fields of fixed size have room beyond */
	char *stage; /* fields start at stage + WEIR_STAGE_HEAD */
	int lost;    /* a field did not fit: the event counts as lost */
};

struct weir_client {
	__u32 version;
	__u32 size;
	const __u64 *generation;
	void (*add)(struct weir_site **first, struct weir_site **last);
	void (*remove)(struct weir_site **first, struct weir_site **last);
	int (*refresh)(struct weir_site *site);
	void (*emit)(struct weir_site *site, char *stage, char *end);
	void (*finish)(struct weir_site *site, struct weir_cursor *cursor);
	void (*string)(struct weir_cursor *cursor, const char *s);
	void (*bytes)(struct weir_cursor *cursor, const void *p, size_t n);
	/* Of later versions: there if `size` says so. */
	void (*switch_all)(void);
};

WEIR_STATIC_ASSERT(sizeof(struct weir_site) == 48 || sizeof(void *) != 8);

/* A site in C++, which is in no section. */
struct weir_listed {
	struct weir_site *site;
	struct weir_listed *next;
};

/* One an object (executable or shared object), whatever the number of its files. */
struct weir_object {
	const __u64 *generation;
	const struct weir_client *client;
	struct weir_listed *listed;
	__u64 none;
	int ready; /* 1: started, 2: stopped */
};

#define WEIR_HIDDEN __attribute__((visibility("hidden")))
#define WEIR_INLINE static inline __attribute__((always_inline, unused))

extern struct weir_object weir_object_ WEIR_HIDDEN;
__attribute__((weak)) struct weir_object weir_object_ = { &weir_object_.none, 0, 0, 0, 0 };

extern struct weir_site *__start_weir_sites[] __attribute__((weak, visibility("hidden")));
extern struct weir_site *__stop_weir_sites[] __attribute__((weak, visibility("hidden")));

__attribute__((constructor(101), unused)) static void weir_object_start_(void)
{
	const struct weir_client *client;

	if (weir_object_.ready)
		return;
	weir_object_.ready = 1;
	client = (const struct weir_client *)dlsym(RTLD_DEFAULT, "weir_client_2");
	dlerror(); /* that there is none is not the program's error */
	if (!client || client->version != WEIR_CLIENT_VERSION)
		return;
	weir_object_.client = client;
	client->add(__start_weir_sites, __stop_weir_sites); /* none: it maps the control all the same */
	weir_object_.generation = client->generation;
}

/*
 * The object is unloaded, after the destructors of its static objects, which may trace; or the program ends while
 * other threads go on: they may be at a site's emit already, so client stays. An object that is never unloaded may
 * define WEIR_TRACE_RESIDENT before it includes this: then it traces through the destructors of others, to the end
 * of the process.
 */
#ifndef WEIR_TRACE_RESIDENT
__attribute__((destructor(101), unused)) static void weir_object_stop_(void)
{
	if (!weir_object_.client || weir_object_.ready != 1)
		return;
	weir_object_.ready = 2;
	weir_object_.generation = &weir_object_.none;
	weir_object_.client->remove(__start_weir_sites, __stop_weir_sites);
	for (struct weir_listed *l = weir_object_.listed; l; l = l->next)
		weir_object_.client->remove(&l->site, &l->site + 1);
}
#endif

/* Nonzero while some trace records the site. One word is compared at a disabled site. */
WEIR_INLINE int weir_site_on(struct weir_site *site)
{
	__u64 match = __atomic_load_n(&site->match, __ATOMIC_RELAXED);
	__u64 generation = __atomic_load_n(weir_object_.generation, __ATOMIC_RELAXED);

	if (__builtin_expect(match == generation, 1))
		return 0;
	if (__builtin_expect(match - generation < WEIR_GENERATION_STEP, 1))
		return 1;
	return weir_object_.client && weir_object_.ready == 1 && weir_object_.client->refresh(site);
}

/**
 * weir_switch() - live readers get what was recorded so far
 *
 * What this process has recorded before the call, on every CPU and in every trace, is given to readers of
 * live/cpuN as packets, without waiting for sub-buffers to be full. Nothing is waited for. Events of other
 * threads are among them if they happened before this call.
 *
 * Context: any, signal handlers too. With shared memory it is one atomic addition; silent without libweir.
 */
WEIR_INLINE void weir_switch(void)
{
	const struct weir_client *client = weir_object_.client;

	if (client && client->size >= sizeof(*client))
		client->switch_all();
}

/* ---- fields -----------------------------------------------------------------------------------*/

#define WEIR_PUT(name, type)                                                                             \
	WEIR_INLINE void weir_put_##name(struct weir_cursor *cursor, type value)                         \
	{                                                                                                \
		memcpy(cursor->p, &value, sizeof(value));                                                \
		cursor->p += sizeof(value);                                                              \
	}
WEIR_PUT(u8, __u8)
WEIR_PUT(u16, __u16)
WEIR_PUT(u32, __u32)
WEIR_PUT(u64, __u64)
WEIR_PUT(i8, __s8)
WEIR_PUT(i16, __s16)
WEIR_PUT(i32, __s32)
WEIR_PUT(i64, __s64)
WEIR_PUT(f32, float)
WEIR_PUT(f64, double)
#undef WEIR_PUT

WEIR_INLINE void weir_put_bool(struct weir_cursor *cursor, int value)
{
	weir_put_u8(cursor, value != 0);
}

WEIR_INLINE void weir_put_ptr(struct weir_cursor *cursor, const volatile void *value)
{
	weir_put_u64(cursor, (__u64)(size_t)value);
}

WEIR_INLINE void weir_put_str(struct weir_cursor *cursor, const char *value)
{
	weir_object_.client->string(cursor, value);
}

WEIR_INLINE void weir_put_bytes(struct weir_cursor *cursor, const void *p, size_t n)
{
	weir_object_.client->bytes(cursor, p, n);
}

WEIR_INLINE void weir_put_text(struct weir_cursor *cursor, const char *p, size_t n)
{
	weir_object_.client->bytes(cursor, p, n);
}

#ifdef __cplusplus
}
#endif

/* WEIR_MAP(m, event, a, b, ...) -> m(a) m(b) ... */
#define WEIR_MAP(m, ...) WEIR_MAP_(WEIR_COUNT(__VA_ARGS__), m, __VA_ARGS__)
#define WEIR_MAP_(n, m, ...) WEIR_MAP__(n, m, __VA_ARGS__)
#define WEIR_MAP__(n, m, ...) WEIR_MAP_##n(m, __VA_ARGS__)
#define WEIR_COUNT(...)                                                                                  \
	WEIR_COUNT_(__VA_ARGS__, at_most_16_fields, at_most_16_fields, at_most_16_fields,                \
		    at_most_16_fields, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
#define WEIR_COUNT_(e, a, b, c, d, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, count, ...) count
#define WEIR_MAP_0(m, e)
#define WEIR_MAP_1(m, e, a) m(a)
#define WEIR_MAP_2(m, e, a, ...) m(a) WEIR_MAP_1(m, e, __VA_ARGS__)
#define WEIR_MAP_3(m, e, a, ...) m(a) WEIR_MAP_2(m, e, __VA_ARGS__)
#define WEIR_MAP_4(m, e, a, ...) m(a) WEIR_MAP_3(m, e, __VA_ARGS__)
#define WEIR_MAP_5(m, e, a, ...) m(a) WEIR_MAP_4(m, e, __VA_ARGS__)
#define WEIR_MAP_6(m, e, a, ...) m(a) WEIR_MAP_5(m, e, __VA_ARGS__)
#define WEIR_MAP_7(m, e, a, ...) m(a) WEIR_MAP_6(m, e, __VA_ARGS__)
#define WEIR_MAP_8(m, e, a, ...) m(a) WEIR_MAP_7(m, e, __VA_ARGS__)
#define WEIR_MAP_9(m, e, a, ...) m(a) WEIR_MAP_8(m, e, __VA_ARGS__)
#define WEIR_MAP_10(m, e, a, ...) m(a) WEIR_MAP_9(m, e, __VA_ARGS__)
#define WEIR_MAP_11(m, e, a, ...) m(a) WEIR_MAP_10(m, e, __VA_ARGS__)
#define WEIR_MAP_12(m, e, a, ...) m(a) WEIR_MAP_11(m, e, __VA_ARGS__)
#define WEIR_MAP_13(m, e, a, ...) m(a) WEIR_MAP_12(m, e, __VA_ARGS__)
#define WEIR_MAP_14(m, e, a, ...) m(a) WEIR_MAP_13(m, e, __VA_ARGS__)
#define WEIR_MAP_15(m, e, a, ...) m(a) WEIR_MAP_14(m, e, __VA_ARGS__)
#define WEIR_MAP_16(m, e, a, ...) m(a) WEIR_MAP_15(m, e, __VA_ARGS__)

/* A field given as weir_TYPE(name, value): its type, how it is put, whether its size varies. */
#define WEIR_FIELD_TYPE(f) WEIR_TYPE_OF_##f
#define WEIR_FIELD_PUT(f) WEIR_PUT_OF_##f
#define WEIR_FIELD_VARIES(f) +WEIR_VARIES_OF_##f

#define WEIR_TYPE_OF_weir_u8(n, v) WEIR_TYPE_U8,
#define WEIR_TYPE_OF_weir_u16(n, v) WEIR_TYPE_U16,
#define WEIR_TYPE_OF_weir_u32(n, v) WEIR_TYPE_U32,
#define WEIR_TYPE_OF_weir_u64(n, v) WEIR_TYPE_U64,
#define WEIR_TYPE_OF_weir_i8(n, v) WEIR_TYPE_I8,
#define WEIR_TYPE_OF_weir_i16(n, v) WEIR_TYPE_I16,
#define WEIR_TYPE_OF_weir_i32(n, v) WEIR_TYPE_I32,
#define WEIR_TYPE_OF_weir_i64(n, v) WEIR_TYPE_I64,
#define WEIR_TYPE_OF_weir_f32(n, v) WEIR_TYPE_F32,
#define WEIR_TYPE_OF_weir_f64(n, v) WEIR_TYPE_F64,
#define WEIR_TYPE_OF_weir_bool(n, v) WEIR_TYPE_BOOL,
#define WEIR_TYPE_OF_weir_ptr(n, v) WEIR_TYPE_PTR,
#define WEIR_TYPE_OF_weir_str(n, v) WEIR_TYPE_STR,
#define WEIR_TYPE_OF_weir_bytes(n, p, l) WEIR_TYPE_BYTES,
#define WEIR_TYPE_OF_weir_text(n, p, l) WEIR_TYPE_TEXT,

#define WEIR_PUT_OF_weir_u8(n, v) weir_put_u8(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_u16(n, v) weir_put_u16(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_u32(n, v) weir_put_u32(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_u64(n, v) weir_put_u64(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_i8(n, v) weir_put_i8(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_i16(n, v) weir_put_i16(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_i32(n, v) weir_put_i32(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_i64(n, v) weir_put_i64(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_f32(n, v) weir_put_f32(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_f64(n, v) weir_put_f64(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_bool(n, v) weir_put_bool(&weir_cursor_, !!(v));
#define WEIR_PUT_OF_weir_ptr(n, v) weir_put_ptr(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_str(n, v) weir_put_str(&weir_cursor_, v);
#define WEIR_PUT_OF_weir_bytes(n, p, l) weir_put_bytes(&weir_cursor_, p, l);
#define WEIR_PUT_OF_weir_text(n, p, l) weir_put_text(&weir_cursor_, p, l);

#define WEIR_VARIES_OF_weir_u8(n, v) 0
#define WEIR_VARIES_OF_weir_u16(n, v) 0
#define WEIR_VARIES_OF_weir_u32(n, v) 0
#define WEIR_VARIES_OF_weir_u64(n, v) 0
#define WEIR_VARIES_OF_weir_i8(n, v) 0
#define WEIR_VARIES_OF_weir_i16(n, v) 0
#define WEIR_VARIES_OF_weir_i32(n, v) 0
#define WEIR_VARIES_OF_weir_i64(n, v) 0
#define WEIR_VARIES_OF_weir_f32(n, v) 0
#define WEIR_VARIES_OF_weir_f64(n, v) 0
#define WEIR_VARIES_OF_weir_bool(n, v) 0
#define WEIR_VARIES_OF_weir_ptr(n, v) 0
#define WEIR_VARIES_OF_weir_str(n, v) 1
#define WEIR_VARIES_OF_weir_bytes(n, p, l) 1
#define WEIR_VARIES_OF_weir_text(n, p, l) 1

/* The stage: head, fields of fixed size (8 bytes each at most), room for the others, and for libweir to write
 * past the end. */
#define WEIR_STAGE_SIZE(nr, varies) (WEIR_STAGE_HEAD + 8 * (nr) + ((varies) ? WEIR_STAGE_ROOM + 16 : 0) + 12)

/* By the clock that there is: it may become another one's. */
#define WEIR_CLIENT(call) __atomic_load_n(&weir_object_.client->call, __ATOMIC_RELAXED)

/* Stages what is put and emits it. Without fields that vary the cursor stays in registers. */
#define WEIR_EMIT(site, nr, varies, ...)                                                                 \
	char weir_stage_[WEIR_STAGE_SIZE(nr, varies)] __attribute__((aligned(8)));                       \
	struct weir_cursor weir_cursor_ = { weir_stage_ + WEIR_STAGE_HEAD,                               \
					    weir_stage_ + WEIR_STAGE_HEAD + ((varies) ? WEIR_STAGE_ROOM : 0), \
					    weir_stage_, 0 };                                            \
	__VA_ARGS__                                                                                      \
	if (varies)                                                                                      \
		WEIR_CLIENT(finish)(site, &weir_cursor_);                                                \
	else                                                                                             \
		WEIR_CLIENT(emit)(site, weir_stage_, weir_cursor_.p);

#ifndef __cplusplus

/* GCC gives a bit-field of odd width a type of its own, which nothing can name: the class of an integer is all there
 * is to know of it, and that its values fit a long long. Standard types, and 128 bits, are left as they are. */
#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 weir_s128_;
__extension__ typedef unsigned __int128 weir_u128_;
#define WEIR_128_BITS weir_s128_: 0, weir_u128_: 0,
#else
#define WEIR_128_BITS
#endif
#define WEIR_INTEGER_CLASS 1

/* clang-format off */
#define WEIR_IS_BIT_FIELD(x) _Generic((x),                                                               \
	_Bool: 0, char: 0, signed char: 0, unsigned char: 0, short: 0, unsigned short: 0, int: 0, unsigned int: 0, \
	long: 0, unsigned long: 0, long long: 0, unsigned long long: 0, WEIR_128_BITS                    \
	default: __builtin_classify_type(x) == WEIR_INTEGER_CLASS)
#define WEIR_VALUE(x) __builtin_choose_expr(WEIR_IS_BIT_FIELD(x), (long long)(x), (x))
#define WEIR_TYPE_AUTO(x) _Generic(WEIR_VALUE(x),                                                        \
	_Bool: WEIR_TYPE_BOOL, char: WEIR_TYPE_I8, signed char: WEIR_TYPE_I8, unsigned char: WEIR_TYPE_U8, \
	short: WEIR_TYPE_I16, unsigned short: WEIR_TYPE_U16, int: WEIR_TYPE_I32, unsigned int: WEIR_TYPE_U32, \
	long: sizeof(long) == 8 ? WEIR_TYPE_I64 : WEIR_TYPE_I32,                                         \
	unsigned long: sizeof(long) == 8 ? WEIR_TYPE_U64 : WEIR_TYPE_U32,                                \
	long long: WEIR_TYPE_I64, unsigned long long: WEIR_TYPE_U64, float: WEIR_TYPE_F32, double: WEIR_TYPE_F64, \
	char *: WEIR_TYPE_STR, const char *: WEIR_TYPE_STR, default: WEIR_TYPE_PTR),
#define WEIR_PUT_AUTO(x) _Generic(WEIR_VALUE(x),                                                         \
	_Bool: weir_put_bool, char: weir_put_i8, signed char: weir_put_i8, unsigned char: weir_put_u8,   \
	short: weir_put_i16, unsigned short: weir_put_u16, int: weir_put_i32, unsigned int: weir_put_u32, \
	long: weir_put_long, unsigned long: weir_put_ulong,                                              \
	long long: weir_put_i64, unsigned long long: weir_put_u64, float: weir_put_f32, double: weir_put_f64, \
	char *: weir_put_str, const char *: weir_put_str, default: weir_put_ptr)(&weir_cursor_, WEIR_VALUE(x));
#define WEIR_VARIES_AUTO(x) + _Generic((x), char *: 1, const char *: 1, default: 0)
/* clang-format on */

WEIR_INLINE void weir_put_long(struct weir_cursor *cursor, long value)
{
	memcpy(cursor->p, &value, sizeof(value));
	cursor->p += sizeof(value);
}

WEIR_INLINE void weir_put_ulong(struct weir_cursor *cursor, unsigned long value)
{
	weir_put_long(cursor, (long)value);
}

/* By the compiler, and by linkers that collect sections whatever __start_ and __stop_ say (lld). */
#if __has_attribute(retain)
#define WEIR_KEPT used, retain
#else
#define WEIR_KEPT used
#endif

/* A site: its word, and a pointer to it where the object's constructor finds all of them. */
#define WEIR_SITE(what, fields, ...)                                                                     \
	static const unsigned char weir_types_[] = { __VA_ARGS__ 0 };                                    \
	static struct weir_site weir_site_ = { 0, 0, what, weir_types_, 0, sizeof(weir_types_) - 1, fields, 0 }; \
	static struct weir_site *weir_site_ptr_ __attribute__((section("weir_sites"), WEIR_KEPT)) = &weir_site_;

#define WEIR_SITE_ADDRESS &weir_site_

#else /* C++ */

namespace weir
{
template <class T, bool Integral = std::is_integral<T>::value, bool Enum = std::is_enum<T>::value> struct type_of;

template <class T> struct type_of<T, true, false> {
	static constexpr unsigned char code =
		(sizeof(T) == 1 ? WEIR_TYPE_U8 : sizeof(T) == 2 ? WEIR_TYPE_U16 : sizeof(T) == 4 ? WEIR_TYPE_U32 : WEIR_TYPE_U64) +
		(std::is_signed<T>::value ? WEIR_TYPE_I8 - WEIR_TYPE_U8 : 0);
	static constexpr bool varies = false;
	static __attribute__((always_inline)) void put(weir_cursor *cursor, T value)
	{
		static_assert(sizeof(T) <= 8, "weir: an integer of more than 64 bits");
		memcpy(cursor->p, &value, sizeof(value));
		cursor->p += sizeof(value);
	}
};
template <class T> struct type_of<T, false, true> : type_of<typename std::underlying_type<T>::type> {
	static __attribute__((always_inline)) void put(weir_cursor *cursor, T value)
	{
		typedef typename std::underlying_type<T>::type U;
		type_of<U>::put(cursor, static_cast<U>(value));
	}
};

#define WEIR_CXX_TYPE(type, codename, variable, putter)                                                  \
	template <> struct type_of<type, std::is_integral<type>::value, false> {                         \
		static constexpr unsigned char code = codename;                                          \
		static constexpr bool varies = variable;                                                 \
		static __attribute__((always_inline)) void put(weir_cursor *cursor, type value)          \
		{                                                                                        \
			putter(cursor, value);                                                           \
		}                                                                                        \
	};
WEIR_CXX_TYPE(bool, WEIR_TYPE_BOOL, false, weir_put_bool)
WEIR_CXX_TYPE(float, WEIR_TYPE_F32, false, weir_put_f32)
WEIR_CXX_TYPE(double, WEIR_TYPE_F64, false, weir_put_f64)
WEIR_CXX_TYPE(char *, WEIR_TYPE_STR, true, weir_put_str)
WEIR_CXX_TYPE(const char *, WEIR_TYPE_STR, true, weir_put_str)
WEIR_CXX_TYPE(decltype(nullptr), WEIR_TYPE_PTR, false, weir_put_ptr)
#undef WEIR_CXX_TYPE
template <class T> struct type_of<T *, false, false> {
	static constexpr unsigned char code = WEIR_TYPE_PTR;
	static constexpr bool varies = false;
	static __attribute__((always_inline)) void put(weir_cursor *cursor, T *value)
	{
		weir_put_ptr(cursor, reinterpret_cast<const volatile void *>(value));
	}
};

template <class T> T value(T); /* decays; never called */

template <class T> static inline __attribute__((always_inline)) void put(weir_cursor *cursor, T v)
{
	type_of<T>::put(cursor, v);
}

template <unsigned char... Code> struct WEIR_HIDDEN codes {
	static constexpr __u16 count = sizeof...(Code) - 1;
	static constexpr unsigned char list[] = { Code... };
};
template <unsigned char... Code> constexpr unsigned char codes<Code...>::list[];

/* Hidden, for a STB_GNU_UNIQUE symbol would keep a plug-in from being unloaded. */
template <class Tag> struct WEIR_HIDDEN site_of {
	static weir_site site;
	static struct WEIR_HIDDEN listed : weir_listed {
		listed()
		{
			weir_object_start_();
			this->site = &site_of::site;
			this->next = weir_object_.listed;
			weir_object_.listed = this;
			if (weir_object_.client)
				weir_object_.client->add(&this->site, &this->site + 1);
		}
		void use()
		{
		}
	} entry;
};
template <class Tag>
weir_site site_of<Tag>::site = { 0, 0, Tag::text(), Tag::types::list, 0, Tag::types::count, Tag::flags, 0 };
template <class Tag> typename site_of<Tag>::listed site_of<Tag>::entry;
} // namespace weir

#define WEIR_TYPE_AUTO(x) ::weir::type_of<decltype(::weir::value(x))>::code,
#define WEIR_PUT_AUTO(x) ::weir::put(&weir_cursor_, x);
#define WEIR_VARIES_AUTO(x) + (::weir::type_of<decltype(::weir::value(x))>::varies ? 1 : 0)

/* A site is the static member of a template of a local type; its dynamic initialisation lists it when the
 * object is loaded. (A static variable in a section of its own conflicts in templates and inline functions.) */
#define WEIR_SITE(what, fields, ...)                                                                     \
	typedef ::weir::codes<__VA_ARGS__ 0> weir_codes_;                                                \
	struct weir_tag_ {                                                                               \
		typedef __attribute__((unused)) weir_codes_ types;                                       \
		enum : __u16 { flags = fields };                                                         \
		static constexpr const char *text()                                                      \
		{                                                                                        \
			return what;                                                                     \
		}                                                                                        \
	};                                                                                               \
	(void)&::weir::site_of<weir_tag_>::entry;

#define WEIR_SITE_ADDRESS &::weir::site_of<weir_tag_>::site

#endif /* __cplusplus */

/* ---- the API ----------------------------------------------------------------------------------*/

/**
 * weir_trace() - an event whose fields are its arguments
 * @provider: an identifier, not evaluated
 * @...: the event's name (an identifier), then at most 16 arguments
 *
 * A string that is NULL is recorded as "(null)". An event that does not fit (64 KiB, or a sub-buffer less its
 * header) is counted as lost.
 */
#define weir_trace(provider, ...)                                                                        \
	do {                                                                                             \
		WEIR_SITE(#provider ":" #__VA_ARGS__, 0, WEIR_MAP(WEIR_TYPE_AUTO, __VA_ARGS__))          \
		if (weir_site_on(WEIR_SITE_ADDRESS)) {                                                   \
			WEIR_EMIT(WEIR_SITE_ADDRESS, WEIR_COUNT(__VA_ARGS__),                            \
				  0 WEIR_MAP(WEIR_VARIES_AUTO, __VA_ARGS__),                             \
				  WEIR_MAP(WEIR_PUT_AUTO, __VA_ARGS__))                                  \
		}                                                                                        \
	} while (0)

/**
 * weir_trace_fields() - an event whose fields have names and types of their own
 * @provider: an identifier, not evaluated
 * @...: the event's name, then at most 16 of weir_u32(name, value) and its like
 */
#define weir_trace_fields(provider, ...)                                                                 \
	do {                                                                                             \
		WEIR_SITE(#provider ":" #__VA_ARGS__, WEIR_SITE_FIELDS, WEIR_MAP(WEIR_FIELD_TYPE, __VA_ARGS__)) \
		if (weir_site_on(WEIR_SITE_ADDRESS)) {                                                   \
			WEIR_EMIT(WEIR_SITE_ADDRESS, WEIR_COUNT(__VA_ARGS__),                            \
				  0 WEIR_MAP(WEIR_FIELD_VARIES, __VA_ARGS__),                            \
				  WEIR_MAP(WEIR_FIELD_PUT, __VA_ARGS__))                                 \
		}                                                                                        \
	} while (0)

/**
 * weir_enabled() - is the event recorded?
 *
 * Return: nonzero while some trace records an event of this name.
 */
#define weir_enabled(provider, event)                                                                    \
	__extension__({                                                                                  \
		WEIR_SITE(#provider ":" #event, WEIR_SITE_GUARD, )                                       \
		weir_site_on(WEIR_SITE_ADDRESS);                                                         \
	})

#endif /* WEIR_TRACE_H */
