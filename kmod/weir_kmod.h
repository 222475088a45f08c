/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * weir_kmod: what the files of the module share.
 *
 *   source    one attach of a process, or the kernel itself: three regions, an RCU list
 *   buffer    the pages of one ring, made for one epoch; its words are in the source's control
 *   stream    a consumer's descriptor of one ring
 *   tracing   what the kernel's own writers look at, under RCU
 *
 * Locks, outermost first:
 *
 *   mmap_lock          of whoever maps or faults
 *   cpu_hotplug_lock   read, by who needs a CPU that is online
 *   weir_control_lock  one change of the configuration at a time; never taken under mmap_lock
 *   weir_source_lock   the list of sources, the server and what it is to be told
 *   source->lock       a source's buffers and pages, while they are made and taken away
 *   page lock          while a page is put into a page table (VM_FAULT_LOCKED), see mappings.c
 *
 * So nothing is copied to or from a user under weir_source_lock or source->lock.
 */
#ifndef WEIR_KMOD_H
#define WEIR_KMOD_H

#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "weir_relay.h"
#include "weir_ring.h"
#include "compat.h"

struct weir_source;

/* A number to look at: /sys/module/weir/parameters/NAME. */
extern const struct kernel_param_ops weir_counter_ops; /* main.c */
#define weir_counter(name, atomic, text)                           \
	module_param_cb(name, &weir_counter_ops, &(atomic), 0444); \
	MODULE_PARM_DESC(name, text)

extern struct workqueue_struct *weir_wq; /* main.c: frees what cannot be freed where it is let go */

/* What a process makes the module allocate: charged to it, refused rather than somebody killed. */
#define WEIR_GFP (GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN)

/* ---- pages (pages.c) ------------------------------------------------------------------------- */

/* Who pays. One a uid; counted against the module's limits. */
struct weir_user {
	struct list_head list;
	kuid_t uid;
	unsigned int refs; /* under weir_user_lock */
	unsigned int processes;
	atomic_long_t pages;
};

/* An array of pages that are made one by one, found by number, and listed by page frame number for
 * a crash dump (struct weir_anchor_table). */
struct weir_pages {
	struct weir_user *user;
	int node;
	struct weir_anchor_table table;
};

int weir_user_attach(kuid_t uid, struct weir_user **user);
void weir_user_detach(struct weir_user *user);

int weir_pages_init(struct weir_pages *pages, u32 count, struct weir_user *user, int node);
void weir_pages_destroy(struct weir_pages *pages, bool all);
int weir_pages_room(struct weir_pages *pages, u32 index);
struct page *weir_pages_get(const struct weir_pages *pages, u32 index); /* NULL: not made */
struct page *weir_pages_make(struct weir_pages *pages, u32 index); /* NULL: no memory, a limit */
void weir_pages_set(struct weir_pages *pages, u32 index, struct page *page);
bool weir_pages_charge(struct weir_user *user, long pages);
void weir_pages_uncharge(struct weir_user *user, long pages);
struct page *weir_page_alloc(struct weir_user *user, int node);
void weir_page_free(struct weir_user *user, struct page *page);

/* ---- buffers (buffers.c) --------------------------------------------------------------------- */

/* The kernel's writer's own words, a CPU's alone. See writer.c; zeroed when the buffer is made. */
struct weir_writer {
	u64 reserve; /* as position, but of records that may be incomplete; cmpxchg_local */
	u64 begin;   /* of the packet that holds its last byte, or of one before */
	u64 time;    /* no record that is reserved is later; cmpxchg_local */
	u64 hold;    /* claim is not raised beyond it; 0: no limit */
	u64 mask;    /* size of the ring - 1; 0 before the first record */
	unsigned int nest;
};

/*
 * The pages of a source's ring, for one epoch. Made when the ring is first touched, taken away when
 * its slot goes to another epoch. A reference keeps it and its source.
 */
struct weir_buffer {
	struct kref ref;
	struct rcu_head rcu;
	struct work_struct work; /* frees it */
	struct list_head gone;	 /* of what was taken away and is still mapped */
	struct weir_source *source;
	unsigned int slot, cpu;
	u64 id;	   /* no other one's, ever */
	u64 epoch; /* the geometry */
	unsigned int charged; /* pages, for the list */
	struct weir_ring *ring;
	struct weir_relay relay;
	struct weir_relay_cursor touched; /* source->lock */
	unsigned long *refused;		  /* sub-buffers that have lacked a page */
	struct task_struct *maker;	  /* who makes pages now */
	struct weir_pages pages;	  /* as the relay's list has them, by number */
	struct weir_writer writer ____cacheline_aligned;
};

struct weir_buffer *weir_buffer_get(struct weir_source *source, unsigned int slot,
				    unsigned int cpu);
struct weir_buffer *weir_buffer_at(const struct weir_source *source, u32 index);
struct weir_buffer *weir_buffer_make(struct weir_source *source, unsigned int slot,
				     unsigned int cpu);
void weir_buffer_put(struct weir_buffer *buffer);
struct page *weir_buffer_page(const struct weir_buffer *buffer, size_t offset);
u64 weir_buffer_place(const struct weir_buffer *buffer);
struct page *weir_buffer_populate(struct weir_buffer *buffer, size_t offset);
void weir_buffer_read(struct weir_buffer *buffer, struct weir_relay_cursor *cursor, size_t offset,
		      void *dst, size_t len);
void weir_buffer_move(struct weir_buffer *buffer, struct weir_relay_cursor *cursor, size_t offset,
		      struct page **page);
void weir_buffers_take(struct weir_source *source, struct list_head *gone, bool all);
void weir_buffers_put(struct list_head *gone);

static inline unsigned long weir_buffer_subbuf(const struct weir_buffer *buffer, size_t offset)
{
	return offset >> weir_epoch_subbuf_shift(buffer->epoch);
}

/* ---- what a process was refused (refused.c) ---------------------------------------------------- */

bool weir_buffer_refused(const struct weir_buffer *buffer, size_t offset);
bool weir_buffer_marked(const struct weir_buffer *buffer, size_t offset);
void weir_buffer_begin(struct weir_buffer *buffer);
void weir_buffer_refuse(struct weir_buffer *buffer, size_t offset);
void weir_buffer_switched(const struct weir_buffer *buffer, u64 position);

/* ---- the kernel's own writers (control.c makes, writer.c and events*.c use) ---------------------
 *
 *	rcu_read_lock_sched_notrace() or preemption off
 *	t = rcu_dereference_sched(weir_tracing)
 *	slot = &t->slot[n]; if (slot->kernel & BIT_ULL(id)) ...
 *	buffer = slot->buffer[cpu]    NULL: weir_ring_lose(slot->ring[cpu], slot->epoch)
 *
 * buffer->ring == slot->ring[cpu]; buffer->relay has all its pages, so weir_relay_write() allocates
 * nothing and is safe in any context. buffer->writer is writer.c's own.
 */
struct weir_tracing_slot {
	u64 epoch;  /* 0: free, or no events of the kernel */
	u64 kernel; /* events wanted, bit n: the one of schema id n; 0 unless WEIR_SLOT_ENABLED */
	struct weir_buffer **buffer; /* [nr_cpu_ids] */
	struct weir_ring **ring;     /* [nr_cpu_ids] */
};

struct weir_tracing {
	struct rcu_head rcu;
	struct weir_clock clock;
	u64 kernel;	/* all slots' */
	u16 wanted[64]; /* by bit: the slots that want the events of it; weir_tracing_index() */
	struct weir_tracing_slot slot[WEIR_SLOTS];
};

extern struct weir_tracing __rcu *weir_tracing; /* never NULL while the module is in use */

/* writer.c: fills in `kernel` and `wanted` from the slots, before anybody sees it. */
void weir_tracing_index(struct weir_tracing *tracing);

/* writer.c: seals the open packet of a kernel ring and opens the next. On buffer->cpu, preemption
 * off, also in an interrupt. 0; -ENODATA there is no record in it; -ENOSPC discard mode, no room.
 */
int weir_writer_switch(struct weir_buffer *buffer, const struct weir_clock *clock);

/* writer.c: calls fn(arg) while no writer may enter the packet at `begin`. On buffer->cpu, interrupts
 * off. 0; -ESTALE it is being overwritten. */
int weir_writer_hold(struct weir_buffer *buffer, u64 begin, void (*fn)(void *arg), void *arg);

/* events*.c: probes are what `kernel` wants, the union of all slots; called with weir_control_lock
 * held. After it returned, no probe that is not wanted runs. Each class is appended to the log in
 * init, in the order of its bits. */
int weir_events_init(void);
void weir_events_update(u64 kernel);
void weir_events_exit(void);

/* kernel.c: appends one descriptor (struct weir_desc, name, fields; abi.h) to the kernel's schema
 * log. Process context. Its id (its index), or -ENOSPC, -EINVAL. */
int weir_kernel_describe(const struct weir_desc *desc);

/* ---- sources (process.c) ------------------------------------------------------------------------
 *
 * Made when a process first maps one of its two regions; ended when the last such mapping goes.
 * References: the descriptor it was made by, the list, a consumer, a buffer. It leaves the list
 * (retires) when there is no mapping, no consumer, and nothing that the server was not told of; its
 * buffers go then.
 */
enum weir_source_state {
	WEIR_SOURCE_NEW,      /* some region is mapped */
	WEIR_SOURCE_ATTACHED, /* the buffers are: the server is told */
	WEIR_SOURCE_ENDED,
	WEIR_SOURCE_RETIRED,
};

struct weir_source {
	struct kref ref;
	struct rcu_head rcu;
	struct list_head list;	 /* RCU */
	struct list_head notice; /* in one of the server's queues, or in none */
	struct work_struct reap;
	u64 id;
	enum weir_source_state state; /* weir_source_lock */
	unsigned int consumers;	      /* weir_source_lock */
	atomic_t mappings;	/* the process's, of its two regions; to 0 under weir_source_lock */
	atomic_t views;		/* consumers' mappings */
	struct inode *inode;	/* whose i_mapping has the process's mappings */
	struct inode *view;	/* the same for consumers */
	wait_queue_head_t wait; /* for the end */

	struct weir_user *user; /* NULL: the kernel */
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	u64 stride; /* bytes of a ring in the buffers; 0: not mapped yet */
	char comm[16];

	struct mutex lock;
	struct weir_pages process;	   /* the region WEIR_DEV_PROCESS */
	struct weir_buffer __rcu **buffer; /* [slot][cpu] */
	struct page *sink[2]; /* where a process writes what cannot be kept: of each region */
	bool sunk; /* sink[0] was given; lock */
	struct mutex switching;
	unsigned long *streams; /* rings that have one; weir_source_lock */

	struct page *anchor; /* struct weir_anchor_source */
	int anchor_index;
	struct weir_pages rings; /* struct weir_anchor_ring */
};

extern struct mutex weir_source_lock;
extern struct list_head weir_sources;
extern struct weir_source *weir_kernel;

static inline u32 weir_nr_cpus(void)
{
	return nr_cpu_ids;
}

static inline u32 weir_nr_rings(void)
{
	return WEIR_SLOTS * (weir_nr_cpus() + 1);
}

static inline size_t weir_process_size(void)
{
	return weir_schema_offset(weir_nr_cpus()) + WEIR_SCHEMA_SIZE;
}

struct weir_source *weir_source_create(struct inode *inode, bool kernel);
struct weir_source *weir_source_find(u64 id);
void weir_source_put(struct weir_source *source);
void weir_source_check(struct weir_source *source);
void weir_source_closed(struct weir_source *source);
int weir_source_map(struct weir_source *source);
int weir_source_attach(struct weir_source *source, u64 stride);
void weir_source_unmap(struct weir_source *source);
void weir_source_recycle(u32 slots);
struct page *weir_source_page(struct weir_source *source, u32 index);
struct weir_ring *weir_source_ring(const struct weir_source *source, unsigned int slot,
				   unsigned int cpu);
struct weir_ring *weir_source_ring_make(struct weir_source *source, unsigned int slot,
					unsigned int cpu);

int weir_kernel_update(const struct weir_config *config);
int weir_kernel_init(void);
void weir_kernel_exit(void);

/* ---- mappings (mappings.c) ------------------------------------------------------------------- */

/* What a consumer's descriptor maps. First in what its file's private_data is. */
struct weir_view {
	struct weir_source *source;
	u64 epoch; /* 0: both regions; else the one ring, of that epoch */
	unsigned int slot, cpu;
};

struct inode *weir_inode(void);
int weir_map_control(struct vm_area_struct *vma);
int weir_map_process_check(struct vm_area_struct *vma);
int weir_map_process(struct weir_source *source, struct vm_area_struct *vma);
int weir_map_view(const struct weir_view *view, struct vm_area_struct *vma);
void weir_zap_view(struct weir_source *source, u64 offset, u64 size);
void weir_zap_slot(struct weir_source *source, unsigned int slot);
void weir_zap_words(struct weir_source *source);
void weir_zap_process(struct weir_source *source, u64 offset, u64 size);
int weir_mappings_init(void);
void weir_mappings_exit(void);

/* Where a ring begins in a mapping of the buffers. */
static inline u64 weir_buffers_offset(const struct weir_source *source, unsigned int slot,
				      unsigned int cpu)
{
	return WEIR_DEV_BUFFERS + source->stride * weir_ring_index(weir_nr_cpus(), slot, cpu);
}

/* Where an offset of the buffers is: in which ring, and where in that. */
static inline void weir_buffers_place(const struct weir_source *source, u64 offset,
				      unsigned int *slot, unsigned int *cpu, size_t *in)
{
	u32 ring = offset >> ilog2(source->stride);

	*slot = ring / (weir_nr_cpus() + 1);
	*cpu = ring % (weir_nr_cpus() + 1);
	*in = offset & (source->stride - 1);
}

/* ---- the device (device.c) ------------------------------------------------------------------- */

/* An ioctl's argument, and what it makes. */
struct weir_call {
	union {
		struct weir_dev_serve serve;
		struct weir_dev_process process;
		struct weir_dev_ring ring;
		struct weir_dev_subbuf subbuf;
	};
	struct file *made;
};

struct weir_ioctl {
	unsigned int cmd;
	long (*run)(struct file *file, struct weir_call *call);
};

long weir_ioctl(const struct weir_ioctl *table, struct file *file, unsigned int cmd,
		unsigned long arg);
int weir_descriptor(struct weir_call *call, const char *name, const struct file_operations *fops,
		    void *priv, struct weir_source *source);
int weir_device_init(void);
void weir_device_exit(void);

/* ---- the server (server.c), the configuration (control.c) ------------------------------------ */

void weir_server_notify(struct weir_source *source);
long weir_server_serve(struct file *file, struct weir_call *call);
long weir_server_process(struct file *file, struct weir_call *call);
ssize_t weir_server_read(struct file *file, char __user *to, size_t size);
ssize_t weir_server_write(struct file *file, const char __user *from, size_t size);
__poll_t weir_server_poll(struct file *file, poll_table *wait);
void weir_server_release(struct file *file);

extern struct weir_control *weir_control;
u64 weir_slot_epoch(unsigned int slot);
bool weir_slot_changes(unsigned int slot);
void weir_control_clock(struct weir_clock *clock);
int weir_control_write(const struct weir_config *config);
void weir_control_state(struct weir_dev_serve *serve);
void weir_control_unserved(void);
int weir_control_init(void);
void weir_control_exit(void);

/* ---- consumers (consumer.c, stream.c), switching (switch.c), the anchor (anchor.c) ----------- */

long weir_consumer_open(struct weir_source *source, struct weir_call *call);
int weir_consumer_get(struct weir_source *source);
void weir_consumer_put(struct weir_source *source);
int weir_consumed(struct weir_source *source, const struct weir_dev_ring *ring);

/* A whole sub-buffer that was taken out of a ring, for read(2) and splice(2) to give out. */
struct weir_packet_pages {
	struct page **page;
	unsigned int pages;
	size_t size; /* bytes */
	size_t done; /* bytes given out */
};

struct weir_stream {
	struct weir_view view; /* first */
	struct mutex lock;
	u64 position;		   /* all below was consumed */
	struct weir_ring_view got; /* GET: [begin, end) is out; end 0: nothing is */
	struct weir_relay_cursor cursor;
	u64 cursor_of; /* the buffer's id */
	struct weir_packet_pages held;
	wait_queue_head_t *wait;   /* `own`, or that of the kernel's ring (stream_wake.c) */
	wait_queue_head_t own;
	struct list_head watch; /* stream_wait.c */
};

bool weir_stream_ready(struct weir_stream *stream);
int weir_stream_find(struct weir_stream *stream, struct weir_ring_view *next);
int weir_stream_next(struct weir_stream *stream, struct weir_ring_view *next);
void weir_stream_consume(struct weir_stream *stream, u64 position);
bool weir_stream_over(const struct weir_stream *stream);
int weir_stream_take(struct weir_stream *stream, bool move);
void weir_stream_drop(struct weir_stream *stream);
ssize_t weir_stream_read(struct file *file, char __user *to, size_t size, loff_t *pos);
ssize_t weir_stream_splice(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
			   size_t size, unsigned int flags);
long weir_stream_open(struct weir_source *source, struct weir_call *call);
int weir_stream_wait(struct weir_stream *stream);
__poll_t weir_stream_poll(struct file *file, poll_table *wait);
void weir_stream_unwatch(struct weir_stream *stream);
void weir_streams_exit(void);

wait_queue_head_t *weir_wake_queue(const struct weir_source *source, unsigned int slot,
				   unsigned int cpu);
void weir_wake(const struct weir_buffer *buffer, bool nested);
void weir_wake_slots(u32 slots);
int weir_wakes_init(void);
void weir_wakes_exit(void);

int weir_switch(struct weir_source *source, struct weir_dev_ring *ring);
int weir_switch_init(void);
void weir_switch_exit(void);

int weir_anchor_add(struct weir_source *source);
void weir_anchor_attached(struct weir_source *source);
void weir_anchor_remove(struct weir_source *source);
int weir_anchor_ring(struct weir_buffer *buffer);
void weir_anchor_ring_gone(struct weir_buffer *buffer);
void weir_anchor_renew(void);
int weir_anchor_init(void);
void weir_anchor_exit(void);

#endif /* WEIR_KMOD_H */
