/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * weir ABI: what a traced process, the daemon and the kernel module share.
 *
 * Three mappings, after the RFC "Userspace tracing memory mappings" (M. Desnoyers, 2008-01-23):
 *
 *   mapping          layout                     traced process   daemon, module
 *   tracing control  struct weir_control        read             write
 *   buffer control   struct weir_process        write            read; publishes `consumed`
 *   buffers          rings of bytes             write            read
 *
 * The daemon trusts none of the words that a traced process can write: it reads each once, bounds it, then
 * uses it. The traced process trusts the tracing control, which belongs to root or to its own user.
 *
 * Every layout is pinned below by static asserts that hold in C, C++ and the kernel. All words are
 * little-endian; times are nanoseconds.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#define WEIR_STATIC_ASSERT(cond) static_assert(cond)
#else
#include <stddef.h>
#ifdef __cplusplus
#define WEIR_STATIC_ASSERT(cond) static_assert(cond, #cond)
#else
#define WEIR_STATIC_ASSERT(cond) _Static_assert(cond, #cond)
#endif
#endif

#define WEIR_ABI_VERSION 1u
#define WEIR_SLOTS 16u /* active traces at the same time (RFC 2008-01-23) */

/* ---- epoch: which trace a ring's contents belong to, and that trace's geometry ----------------------
 *
 * One 64-bit word, so that a writer that loaded it holds a consistent geometry, and a ring whose epoch
 * equals a trace's epoch is known to have that geometry. The counter never decreases: of two epochs the
 * larger is the newer. 0 is never a trace.
 *
 *   63        16 15  12   11        10      9..5          4..0
 *   counter      0        context   mode    count_shift   subbuf_shift
 */
#define WEIR_EPOCH_COUNTER_SHIFT 16
#define WEIR_EPOCH_TID (1u << 11)     /* records carry the context {u32 tid} */
#define WEIR_EPOCH_DISCARD (1u << 10) /* discard mode; else overwrite mode */
#define WEIR_SUBBUF_SHIFT_MIN 12u
#define WEIR_COUNT_SHIFT_MIN 1u
#define WEIR_RING_SHIFT_MAX 26u /* a ring is at most 64 MiB */

static inline __u64 weir_epoch_make(__u64 counter, unsigned int subbuf_shift, unsigned int count_shift,
				       __u32 flags)
{
	return counter << WEIR_EPOCH_COUNTER_SHIFT | flags | count_shift << 5 | subbuf_shift;
}

static inline unsigned int weir_epoch_subbuf_shift(__u64 epoch)
{
	return (unsigned int)epoch & 31u;
}

static inline unsigned int weir_epoch_ring_shift(__u64 epoch)
{
	return ((unsigned int)epoch & 31u) + ((unsigned int)epoch >> 5 & 31u);
}

static inline __u64 weir_epoch_subbuf_size(__u64 epoch)
{
	return (__u64)1 << weir_epoch_subbuf_shift(epoch);
}

static inline __u64 weir_epoch_ring_size(__u64 epoch)
{
	return (__u64)1 << weir_epoch_ring_shift(epoch);
}

/* ---- lost: events that were not recorded --------------------------------------------------------------
 *
 * One word {epoch counter's low 20 bits, 44-bit count}, updated by compare-and-swap, so that a loss can be
 * counted for a ring that has not been reset to the trace's epoch yet, and none is carried over.
 */
#define WEIR_LOST_COUNT_BITS 44
#define WEIR_LOST_COUNT_MASK (((__u64)1 << WEIR_LOST_COUNT_BITS) - 1)

static inline __u64 weir_lost_tag(__u64 epoch)
{
	return epoch >> WEIR_EPOCH_COUNTER_SHIFT << WEIR_LOST_COUNT_BITS;
}

static inline __u64 weir_lost_count(__u64 lost, __u64 epoch)
{
	return (lost & ~WEIR_LOST_COUNT_MASK) == weir_lost_tag(epoch) ? lost & WEIR_LOST_COUNT_MASK : 0;
}

/* ---- tracing control ----------------------------------------------------------------------------------
 *
 * `generation` is what a disabled site compares. It moves in steps of WEIR_GENERATION_STEP, its low 16 bits
 * are 0, so that a site's word {generation, mask of slots} tells in one subtraction: 0 disabled and up to
 * date, below the step enabled and up to date, else stale. It is stored after the latch is complete.
 *
 * The latch is two copies (after the kernel's seqcount_latch): `sequence` odd means copy 0 is being
 * written, read copy 1; even means read copy 0.  A daemon killed anywhere leaves one copy whole.
 */
#define WEIR_GENERATION_STEP 0x10000u

#define WEIR_CONTROL_MAGIC 0x6c72746372696577ull /* "weirctrl" */
#define WEIR_RULES_SIZE 3072
#define WEIR_PROCESSES_SIZE 960

enum weir_clock_type {
	WEIR_CLOCK_MONOTONIC = 0, /* clock_gettime(CLOCK_MONOTONIC) */
	WEIR_CLOCK_TSC = 1,	  /* ns = ((tsc - base) * mult) >> 64 */
};

struct weir_clock {
	__u32 type;
	__u32 reserved;
	__u64 base;
	__u64 mult;
};

/* weir_slot.kernel: events of the kernel that the trace wants. Bit n is the event whose descriptor is the n-th of
 * the schema log of the process WEIR_DEV_KERNEL_ID, and whose id is n; bit WEIR_KERNEL_REST is all from there on.
 * The log begins with the probes of the module, named kernel:NAME; events of other modules follow when they come:
 * whoever sets the mask looks again when schema_bytes has grown. */
#define WEIR_KERNEL_REST 63u

#define WEIR_SLOT_ENABLED 1u /* record events */
#define WEIR_SLOT_ALL 2u     /* every user's processes; else only those of `owner` */

struct weir_slot {
	__u64 epoch; /* 0: free */
	__u32 flags;
	__u32 owner; /* uid */
	__u64 kernel; /* events of the kernel, bit n: the n-th that the module lists; only the module reads it */
	__u32 reserved[10];
	char rules[WEIR_RULES_SIZE];	     /* lines, NUL-terminated: control/events */
	char processes[WEIR_PROCESSES_SIZE]; /* words, NUL-terminated: control/processes */
};

#define WEIR_CONFIG_DEVICE 1u /* attach by /dev/weir; where it cannot be opened, by the socket */

struct weir_config {
	__u64 server;     /* counts starts of daemons; 0: there never was one */
	__u32 nr_cpus;    /* possible CPUs; a process has nr_cpus + 1 rings a slot */
	__u32 nr_slots;   /* WEIR_SLOTS */
	struct weir_clock clock;
	__u64 counter;    /* of the newest epoch there ever was; a daemon continues above it */
	__u32 flags;      /* WEIR_CONFIG_* */
	__u32 reserved0;
	__u8 reserved[4096 - 56];
	struct weir_slot slot[WEIR_SLOTS];
};

struct weir_control {
	__u64 magic;
	__u32 version;
	__u32 size; /* of this struct; the file is never shrunk */
	__u64 reserved0[6];
	__u64 generation; /* a cache line that changes only when something changed */
	__u64 reserved1[7];
	__u64 sequence; /* of the latch */
	__u8 reserved2[4096 - 136];
	struct weir_config copy[2];
};

/* ---- buffer control ---------------------------------------------------------------------------*/

/* One ring. Three lines, one a kind of writer. */
struct weir_ring {
	/* written by the CPU's writer, inside its section */
	__u64 epoch;
	__u64 position; /* free-running bytes: all below are complete records */
	__u64 claim;	   /* the writer may be overwriting bytes up to claim - ring size */
	__u64 begin;	   /* timestamp_begin of the open packet */
	__u64 reserved0[12];
	/* written by any thread of the process */
	__u64 lost;
	__u64 reserved1[7];
	/* published by the reader */
	__u64 consumed_epoch;
	__u64 consumed;
	__u64 reserved2[6];
};

/* Schema log: descriptors one after the other, 8-aligned, committed by one store of `schema_bytes`.
 * The id of a descriptor is its index. Layout: struct weir_desc, name NUL, then a field: type byte, name NUL. */
struct weir_desc {
	__u16 size; /* bytes of this entry, padding included, a multiple of 8 */
	__u16 nr_fields;
	__u32 hash; /* the writer's own use */
};

enum weir_type {
	WEIR_TYPE_NONE = 0,
	WEIR_TYPE_U8 = 1,
	WEIR_TYPE_U16,
	WEIR_TYPE_U32,
	WEIR_TYPE_U64,
	WEIR_TYPE_I8,
	WEIR_TYPE_I16,
	WEIR_TYPE_I32,
	WEIR_TYPE_I64,
	WEIR_TYPE_F32,
	WEIR_TYPE_F64,
	WEIR_TYPE_BOOL,	 /* u8, 0 or 1 */
	WEIR_TYPE_PTR,	 /* u64, shown in hexadecimal */
	WEIR_TYPE_STR,	 /* bytes up to and with a NUL */
	WEIR_TYPE_BYTES, /* u16 length, then as many bytes, shown in hexadecimal */
	WEIR_TYPE_TEXT,	 /* u16 length, then as many bytes of UTF-8 */
	WEIR_TYPE_COUNT
};

#define WEIR_FIELDS_MAX 16
#define WEIR_NAME_MAX 255 /* bytes of an event's or field's name, without NUL */
#define WEIR_EVENTS_MAX 65535u
#define WEIR_RECORD_MAX 65536u /* bytes of a record, header word and context included */

#define WEIR_PROCESS_MAGIC 0x636f727072696577ull /* "weirproc" */
#define WEIR_SCHEMA_SIZE (1u << 20)
#define WEIR_RINGS_OFFSET 4096u

/* Head of the buffer control. The rings follow at WEIR_RINGS_OFFSET, [slot][cpu], then, page-aligned at
 * schema_offset, the schema log. */
struct weir_process {
	__u64 magic;
	__u32 version;
	__u32 nr_cpus;      /* as in weir_config */
	__u64 ring_stride;  /* bytes reserved a ring in the buffers; power of two */
	__u64 schema_offset;
	__u64 schema_size;
	__u64 server;       /* weir_config.server attached to */
	__u64 reserved0[2];
	__u64 schema_bytes; /* committed */
	/* Moves when the program asks for a switch, weir_switch(), with what it wrote before stored before it (switch:E):
	 * live readers who find another count than the last time cut the open packets of all its rings. */
	__u64 switches;
	__u64 reserved1[6];
	char comm[16];
};

static inline __u64 weir_ring_index(__u32 nr_cpus, unsigned int slot, unsigned int cpu)
{
	return (__u64)slot * (nr_cpus + 1) + cpu;
}

static inline __u64 weir_schema_offset(__u32 nr_cpus)
{
	return (WEIR_RINGS_OFFSET + (__u64)WEIR_SLOTS * (nr_cpus + 1) * sizeof(struct weir_ring) + 4095) &
	       ~(__u64)4095;
}

/* ---- attaching (shared memory) ------------------------------------------------------------------------
 *
 * One SOCK_SEQPACKET message to RUNDIR/socket with two memfds, in this order: buffer control, buffers; both
 * sealed F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL. No answer. Sizes:
 *   buffer control  weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE
 *   buffers         WEIR_SLOTS * (nr_cpus + 1) * ring_stride
 */
#define WEIR_ATTACH_MAGIC 0x6368747472696577ull /* "weirttch" */

struct weir_attach {
	__u64 magic;
	__u32 version;
	__u32 nr_cpus;
	__u64 ring_stride;
	char comm[16];
};

/* ---- attaching (kernel module) -------------------------------------------------------------------------
 *
 * open("/dev/weir") and mmap() of the three regions, MAP_SHARED, whole, in any order; the descriptor may be
 * closed then. The process is attached once the buffers are mapped, and has ended when its last mapping of the
 * last two goes; then its descriptor maps no more (EBADFD).
 *
 *   offset            length                                          traced process  consumer
 *   WEIR_DEV_CONTROL  sizeof(struct weir_control), page-rounded       read            -
 *   WEIR_DEV_PROCESS  weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE  read, write     read
 *   WEIR_DEV_BUFFERS  WEIR_SLOTS * (nr_cpus + 1) * ring_stride        write           read
 *
 * ring_stride follows from the length, as in struct weir_attach. There is one server (the daemon, which has
 * CAP_SYS_ADMIN): a descriptor of /dev/weir on which WEIR_IOC_SERVE succeeded. Its write(2) of one struct
 * weir_config publishes that to all processes (EINVAL: something in it cannot be; a slot's new epoch has a number
 * above the counter of the last config); its read(2) gives struct weir_dev_event, and poll(2) tells when.
 * An event counts as handled with the next read(2): until then a process that has ended keeps its memory. While
 * nobody serves, config.server is 0.
 *
 * WEIR_IOC_PROCESS on the server's descriptor returns a consumer's descriptor of one process: the two read-only
 * regions by mmap(2) or pread(2) (bytes of pages that nobody has written are zeros, and allocate nothing), and
 * EPOLLIN | EPOLLHUP when the process has ended. Its memory stays as long as the descriptor.
 *
 * WEIR_IOC_STREAM on that returns a descriptor of one ring: read(2) and splice(2) consume whole sub-buffers,
 * poll(2), mmap(2) of the ring read-only at offset 0, and the WEIR_IOC_SUBBUF_ calls. Sub-buffers that hold no packet,
 * since the process lacks pages of them (it was refused one), or never wrote, are passed over.
 */
#define WEIR_DEVICE "/dev/weir"
#define WEIR_DEV_CONTROL 0ull
#define WEIR_DEV_PROCESS (1ull << 32)
#define WEIR_DEV_BUFFERS (1ull << 40)
#define WEIR_DEV_KERNEL_ID 1ull /* the kernel's own rings are a process of this number */

struct weir_dev_serve {
	__u32 version; /* in: WEIR_ABI_VERSION */
	__u32 nr_cpus; /* out */
	__u64 counter; /* out: of the newest epoch there ever was */
	__u64 server;  /* out: of the last config */
};

enum weir_dev_event_type {
	WEIR_DEV_ATTACHED = 1,
};

struct weir_dev_event {
	__u32 type;
	__u32 reserved;
	__u64 id; /* of the process */
};

struct weir_dev_process {
	__u64 id; /* in */
	__u64 ring_stride;
	__s32 pid; /* in the caller's pid namespace; 0: not there, or the kernel */
	__u32 uid; /* effective, when it attached */
	__u32 gid;
	__u32 reserved;
	char comm[16];
};

/* One ring of a process. */
struct weir_dev_ring {
	__u32 slot;
	__u32 cpu;
	__u64 epoch;
	__u64 position; /* CONSUMED: up to here; SWITCH: out, where the ring stood */
};

/* SNAPSHOT: positions of one moment. GET: the oldest whole sub-buffer that was not consumed. */
struct weir_dev_subbuf {
	__u64 epoch;
	__u64 begin;  /* free-running position of its first byte */
	__u64 end;    /* behind its last */
	__u64 offset; /* of begin in the mapping */
	__u64 lost;   /* events of the ring, so far */
};

#define WEIR_IOC_SERVE _IOWR('w', 0x80, struct weir_dev_serve)
#define WEIR_IOC_PROCESS _IOWR('w', 0x81, struct weir_dev_process)	 /* server: returns a descriptor */
#define WEIR_IOC_STREAM _IOW('w', 0x82, struct weir_dev_ring)		 /* consumer: returns a descriptor */
#define WEIR_IOC_CONSUMED _IOW('w', 0x83, struct weir_dev_ring)	 /* consumer */
#define WEIR_IOC_SWITCH _IOWR('w', 0x84, struct weir_dev_ring)	 /* consumer; a traced process: its own */
#define WEIR_IOC_SUBBUF_SNAPSHOT _IOR('w', 0x85, struct weir_dev_subbuf) /* stream */
#define WEIR_IOC_SUBBUF_GET _IOR('w', 0x86, struct weir_dev_subbuf)	 /* stream; EAGAIN: none is whole */
#define WEIR_IOC_SUBBUF_PUT _IOW('w', 0x87, struct weir_dev_subbuf)	 /* stream; ESTALE: overwritten meanwhile */

/* ---- crash anchor (kernel module) ----------------------------------------------------------------------
 *
 * What a dump of memory is searched for. Everything is given by page frame numbers, so whoever reads a dump
 * deals with whole pages and no addresses: page_shift is 12. A frame number of 0 is a hole: no page was made.
 *
 *   weir_anchor           one page. found by both words of its magic at its start, `self` being its own frame,
 *                         and version. The magic stands nowhere else: it is put together at run time
 *     control             the pages of struct weir_control; its copies name the slots' epochs
 *     sources             a page each, struct weir_anchor_source; holes in between
 *       process           the pages of the region WEIR_DEV_PROCESS: struct weir_process, the rings' control
 *                         words, the schema log
 *       rings             pages of struct weir_anchor_ring, WEIR_ANCHOR_RINGS a page, by weir_ring_index()
 *         pages           the ring's bytes: weir_epoch_ring_size(epoch) of them, of which a hole is zeros
 *
 * A ring whose struct weir_ring has another epoch than its weir_anchor_ring was about to be reset: it holds
 * nothing. The kernel's own source has the number WEIR_DEV_KERNEL_ID. All of it may be changing when the
 * machine stops: a frame number is stored after the page is filled, a table's `pfn` after the table.
 */
#define WEIR_ANCHOR_MAGIC0 0x979c919e8d969a88ull /* inverted: what is looked for is ~ of these */
#define WEIR_ANCHOR_MAGIC1 0xf59a989e8fd28d90ull
#define WEIR_ANCHOR_VERSION 1u
#define WEIR_ANCHOR_SOURCE_MAGIC 0x6372736372696577ull /* "weircsrc" */

/* `pages` page frame numbers. levels 0: one page, `pfn`. 1: `pfn` is a page of up to 512 frame numbers. 2: of
 * up to 512 frame numbers of such pages. */
struct weir_anchor_table {
	__u64 pfn; /* 0: nothing was made */
	__u32 pages;
	__u32 levels;
};

#define WEIR_ANCHOR_FANOUT 512u
#define WEIR_ANCHOR_SOURCES (512u * 512u)

struct weir_anchor {
	__u64 magic[2];
	__u64 self;
	__u32 version;     /* WEIR_ANCHOR_VERSION */
	__u32 abi_version; /* WEIR_ABI_VERSION */
	__u32 page_shift;  /* 12 */
	__u32 nr_cpus;     /* as in weir_config */
	__s64 realtime;    /* ns to add to a time of the monotonic clock for the time of day; renewed with each config */
	struct weir_anchor_table control;
	struct weir_anchor_table sources;
	char release[64];  /* of the kernel */
	char nodename[64]; /* of the machine */
};

struct weir_anchor_source {
	__u64 magic; /* WEIR_ANCHOR_SOURCE_MAGIC; 0: going */
	__u64 self;
	__u64 id;
	__s32 pid; /* as the machine's first pid namespace sees it; 0: the kernel */
	__u32 uid;
	__u32 gid;
	__u32 nr_cpus; /* rings a slot - 1, as in weir_process, but not writable by the process */
	__u64 ring_stride;
	char comm[16]; /* when it attached */
	struct weir_anchor_table process;
	struct weir_anchor_table rings;
};

struct weir_anchor_ring {
	__u64 epoch; /* 0: no ring was made */
	struct weir_anchor_table pages;
	__u64 reserved;
};

#define WEIR_ANCHOR_RINGS 128u /* 4096 / sizeof(struct weir_anchor_ring) */

/* ---- records and packets (CTF 1.8) ------------------------------------------------------------*/

#define WEIR_CTF_MAGIC 0xc1fc1fc1u
#define WEIR_PACKET_HEADER 84u /* bytes that count */
#define WEIR_PACKET_FIRST 88u  /* offset of the first record */
#define WEIR_ID_MASK 0xffffu   /* a record's first word: {timestamp:48, id:16} */
#define WEIR_TIME_SHIFT 16

struct weir_packet {
	__u32 magic;
	__u8 uuid[16];
	__u32 stream_id;
	__u64 stream_instance_id;
	__u64 timestamp_begin;
	__u64 timestamp_end;
	__u64 content_size; /* bits */
	__u64 packet_size;  /* bits */
	__u64 packet_seq_num;
	__u64 events_discarded; /* when the packet was opened */
	__u32 cpu_id;
	__u32 padding;
} __attribute__((packed, aligned(8)));

WEIR_STATIC_ASSERT(sizeof(struct weir_slot) == 4096);
WEIR_STATIC_ASSERT(offsetof(struct weir_slot, rules) == 64);
WEIR_STATIC_ASSERT(offsetof(struct weir_config, clock) == 16);
WEIR_STATIC_ASSERT(offsetof(struct weir_config, flags) == 48);
WEIR_STATIC_ASSERT(sizeof(struct weir_config) == 4096 * 17);
WEIR_STATIC_ASSERT(offsetof(struct weir_control, generation) == 64);
WEIR_STATIC_ASSERT(offsetof(struct weir_control, sequence) == 128);
WEIR_STATIC_ASSERT(offsetof(struct weir_control, copy) == 4096);
WEIR_STATIC_ASSERT(sizeof(struct weir_ring) == 256);
WEIR_STATIC_ASSERT(offsetof(struct weir_ring, lost) == 128);
WEIR_STATIC_ASSERT(offsetof(struct weir_ring, consumed_epoch) == 192);
WEIR_STATIC_ASSERT(sizeof(struct weir_desc) == 8);
WEIR_STATIC_ASSERT(offsetof(struct weir_process, schema_bytes) == 64);
WEIR_STATIC_ASSERT(offsetof(struct weir_process, switches) == 72);
WEIR_STATIC_ASSERT(sizeof(struct weir_process) == 144);
WEIR_STATIC_ASSERT(sizeof(struct weir_attach) == 40);
WEIR_STATIC_ASSERT(sizeof(struct weir_dev_serve) == 24);
WEIR_STATIC_ASSERT(sizeof(struct weir_dev_event) == 16);
WEIR_STATIC_ASSERT(sizeof(struct weir_dev_process) == 48);
WEIR_STATIC_ASSERT(sizeof(struct weir_dev_ring) == 24);
WEIR_STATIC_ASSERT(sizeof(struct weir_dev_subbuf) == 40);
WEIR_STATIC_ASSERT(sizeof(struct weir_anchor_table) == 16);
WEIR_STATIC_ASSERT(sizeof(struct weir_anchor) == 208);
WEIR_STATIC_ASSERT(offsetof(struct weir_anchor, realtime) == 40);
WEIR_STATIC_ASSERT(offsetof(struct weir_anchor, control) == 48);
WEIR_STATIC_ASSERT(sizeof(struct weir_anchor_source) == 96);
WEIR_STATIC_ASSERT(offsetof(struct weir_anchor_source, ring_stride) == 40);
WEIR_STATIC_ASSERT(offsetof(struct weir_anchor_source, process) == 64);
WEIR_STATIC_ASSERT(sizeof(struct weir_anchor_ring) == 32);
WEIR_STATIC_ASSERT(WEIR_ANCHOR_RINGS * sizeof(struct weir_anchor_ring) == 4096);
WEIR_STATIC_ASSERT(sizeof(struct weir_packet) == 88);
WEIR_STATIC_ASSERT(offsetof(struct weir_packet, timestamp_begin) == 32);
WEIR_STATIC_ASSERT(offsetof(struct weir_packet, content_size) == 48);
WEIR_STATIC_ASSERT(offsetof(struct weir_packet, cpu_id) == 80);

#endif /* WEIR_ABI_H */
