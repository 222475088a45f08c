/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * registry, inside: what registry.c, source.c, trace.c, control.c, attach.c, frozen.c and marker.c share.
 *
 * Locks, outermost first: weir_registry.lock, then one of: a process's schema lock, a marker's lock, the
 * quota's lock. "Locked" below means that weir_registry.lock is held. The attach thread alone makes and ends
 * processes' sources.
 */
#ifndef WEIR_REGISTRY_I_H
#define WEIR_REGISTRY_I_H

#include <pthread.h>
#include <sys/socket.h>

#include "registry.h"
#include "rcu.h"

#define WEIR_MARKER_NAME "marker-0"
#define WEIR_KERNEL_NAME "kernel"
#define WEIR_MAX_BYTES_DEFAULT (256ull << 20)
#define WEIR_SCHEMA_COST 16 /* bytes of classes per byte of schema log, at most */

struct weir_registry {
	pthread_mutex_t lock;
	struct weir_trace *traces[WEIR_SLOTS]; /* RCU */
	struct cds_lfht *by_name;	       /* RCU: processes' sources */
	struct cds_list_head sources;	       /* RCU: all, by serial */
	uint64_t serial;
};
extern struct weir_registry weir_registry;

/* ---- registry.c -------------------------------------------------------------------------------*/

void weir_source_add(struct weir_source *source);  /* locked; finds the name that is free */
void weir_source_drop(struct weir_source *source); /* locked */
void weir_trace_drop(struct weir_trace *trace);	   /* locked; when it is out of the slots */

/* ---- source.c ---------------------------------------------------------------------------------*/

struct weir_source *weir_source_new(const char *comm, pid_t pid, uid_t uid, const struct weir_backend *backend,
				    void *private);
void weir_source_plain_name(struct weir_source *source);

/* ---- trace.c ----------------------------------------------------------------------------------*/

int weir_trace_check_name(const char *name, const char **why);
struct weir_trace *weir_trace_new(const char *name, uid_t uid, gid_t gid, bool all);

/* ---- trace.c: locked --------------------------------------------------------------------------*/

void weir_trace_publish(struct weir_trace *trace);
u64 weir_trace_new_epoch(u64 bits); /* with this geometry */

/* Locks around `expr` for a trace that is not gone. */
#define weir_trace_locked(trace, expr)                                                                   \
	({                                                                                               \
		int weir_err = -ENOENT;                                                                  \
		pthread_mutex_lock(&weir_registry.lock);                                                 \
		if (!(trace)->gone)                                                                      \
			weir_err = (expr);                                                               \
		pthread_mutex_unlock(&weir_registry.lock);                                               \
		weir_err;                                                                                \
	})

/* ---- control.c: the tracing control, locked ---------------------------------------------------*/

int weir_control_open(const char *path);
void weir_control_close(void);
u64 weir_control_counter(void);		    /* a new epoch counter */
struct weir_config *weir_control_config(void); /* change this, then publish */
void weir_control_slot(const struct weir_trace *trace);
void weir_control_free_slot(unsigned int slot);
void weir_control_publish(void);

/* ---- rules.c: text that owners write, made canonical. 0 or -errno and why ---------------------*/

int weir_rules_parse(const char *text, char rules[WEIR_RULES_SIZE], const char **why);
int weir_processes_parse(const char *text, char processes[WEIR_PROCESSES_SIZE], const char **why);

/* ---- clock.c ----------------------------------------------------------------------------------*/

int weir_clock_init(const char *name);

/* ---- attach.c: the thread, and what it waits for. Everything down to backend_shm.c is its alone -----------*/

struct weir_watch {
	void (*ready)(struct weir_watch *watch);
	int fd; /* -1: none */
};

int weir_attach_open(void);
int weir_attach_start(void);
void weir_attach_close(void); /* the thread first */
int weir_watch_add(struct weir_watch *watch);
void weir_watch_end(struct weir_watch *watch);	  /* if it was added */
void weir_watch_remove(struct weir_watch *watch); /* and closes the descriptor */
void weir_watch_pause(struct weir_watch *watch, bool pause);

/* ---- connection.c -----------------------------------------------------------------------------*/

int weir_connections_open(const char *path);
int weir_connections_expire(void);   /* drops the silent; ms until it has to be called again, -1: never */
void weir_connections_close(void);
bool weir_connections_waiting(void); /* any thread */
void weir_connections_drain(void);

/* ---- process.c: attached processes; only the attach thread ------------------------------------*/

struct weir_shm;

/* A message that looks right, or what the module knows of a process. Who gets it owns the descriptors. */
struct weir_hello {
	struct weir_attach attach;
	int control, buffers; /* the module's: one, in `control` */
	int pidfd; /* readable when the process has ended; -1: it has already */
	struct ucred peer;
	int (*open)(struct weir_hello *hello, struct weir_shm **shm);
	const struct weir_backend *backend;
	bool kernel; /* no process: the kernel's own rings */
};

void weir_process_attach(struct weir_hello *hello);
void weir_process_refused(const struct ucred *peer, int err);
void weir_processes_close(void);

/* ---- backend_shm.c, memfds.c ------------------------------------------------------------------*/

struct weir_image;

/* Two descriptors, or twice the same one, and where in them the regions begin. */
struct weir_shm_memory {
	struct rcu_head rcu;
	int control, buffers;
	u64 control_base, buffers_base;
	u8 *map; /* of the control region, at least up to the schema log */
	size_t map_size;
	u64 stride;
};

struct weir_shm {
	struct weir_shm_memory *memory;	      /* RCU; NULL once the process has ended */
	struct weir_image *image[WEIR_SLOTS]; /* RCU; afterwards: what it held in each trace. Set locked */
	pthread_mutex_t schemas_lock;
	bool schemas_bad;
	bool schemas_full; /* there was no quota for them, once, and .weir/errors says so */
	u64 schemas_cost; /* taken from the quota */
	/* of process.c */
	struct weir_source *source;
	struct weir_shm *next; /* of the same hash of pid */
	struct weir_watch watch;
};

extern const struct weir_backend weir_backend_shm, weir_backend_kmod;
int weir_shm_new(const struct weir_shm_memory *memory, struct weir_shm **shm);
int weir_shm_open(struct weir_hello *hello, struct weir_shm **shm); /* takes the memfds over on success */
u64 weir_shm_schemas_cost(struct weir_shm *shm);
void weir_shm_abandon(struct weir_shm *shm); /* one that has no source */
void weir_shm_forget(struct weir_shm *shm);			    /* the memory, after the images are in place */

/* ---- backend_kmod.c: nothing happens in any of these while the module is not used -------------*/

/* The module's device, as system calls: tests bring their own. 0, a descriptor, or -errno. */
struct weir_device {
	int (*open)(void);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*publish)(int fd, const struct weir_config *config);
	int (*ended)(int consumer); /* a descriptor that is readable when the process has ended */
};
extern const struct weir_device *weir_device;

int weir_kmod_open(struct weir_config *config);
void weir_kmod_publish(const struct weir_config *config); /* locked */
int weir_kmod_start(void);
bool weir_kmod_waiting(void); /* any thread */
void weir_kmod_drain(void);   /* the attach thread */
u64 weir_kmod_events(const struct weir_trace *trace); /* locked */
void weir_kmod_sweep(void);			      /* locked */
void weir_kmod_join(struct weir_source *source);      /* locked */
void weir_kmod_stop(void);
void weir_kmod_close(void);

/* ---- frozen.c: what a ring held ---------------------------------------------------------------*/

struct weir_kept {
	u64 begin, end, lost;
	size_t offset; /* of begin's byte in the data */
};

int weir_kept_sample(const struct weir_kept *ring, u64 epoch, struct weir_ring_view *view);
/* Positions outside of what is kept read as zeros. */
void weir_kept_read(const struct weir_kept *ring, const u8 *data, u64 position, void *dst, size_t len);

/* ---- frozen.c: what ended processes held ------------------------------------------------------*/

struct weir_image *weir_image_make(struct weir_source *source, struct weir_trace *trace, u64 epoch, bool *full);
bool weir_image_add(struct weir_image *image, struct weir_trace *trace); /* locked; false: the trace is gone */
void weir_image_free(struct weir_image *image);				  /* one that was never added */
/* Under RCU: is there an image? `listed`: one that is to be listed. */
bool weir_image_there(const struct weir_source *source, const struct weir_trace *trace, bool listed);
void weir_images_limit(struct weir_trace *trace, u64 bytes);		  /* locked; oldest go first */
void weir_images_drop(struct weir_trace *trace);			  /* locked */
void weir_image_sweep(struct weir_source *source); /* locked; an ended source without images goes */
int weir_image_sample(const struct weir_image *image, unsigned int cpu, u64 epoch, struct weir_ring_view *view);
int weir_image_read(const struct weir_image *image, unsigned int cpu, u64 epoch, u64 position, void *dst,
		    size_t len);
u64 weir_image_valid_from(const struct weir_image *image, unsigned int cpu, const struct weir_ring_view *view);

/* ---- marker.c ---------------------------------------------------------------------------------*/

int weir_marker_new(struct weir_trace *trace, struct weir_source **source);
int weir_marker_describe(struct weir_source *source); /* its class */
int weir_marker_append(struct weir_source *source, u64 epoch, const char *text, size_t len, pid_t pid);

#endif /* WEIR_REGISTRY_I_H */
